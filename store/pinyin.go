package store

import (
	"strings"

	"github.com/mozillazg/go-pinyin"
)

// Surnames whose first dictionary reading is not how the family says it. Both
// readings are kept: a worker may know either.
var surnames = map[rune]string{
	'单': "shan", '曾': "zeng", '仇': "qiu", '区': "ou", '盖': "ge", '解': "xie", '查': "zha", '朴': "piao", '任': "ren",
	'华': "hua", '尉': "yu", '翟': "zhai", '员': "yun", '乐': "yue", '黑': "he", '秘': "bi", '缪': "miao", '洗': "xian", '冼': "xian",
	'逄': "pang", '覃': "qin", '召': "shao", '折': "she", '种': "chong", '重': "chong", '万': "wan", '俞': "yu", '纪': "ji",
	'长': "chang", '晟': "cheng", '适': "kuo", '隗': "wei", '宓': "fu", '教': "jiao", '燕': "yan", '宁': "ning",
}

// Second readings of characters that stand in given names in both.
var given = map[rune]string{
	'乐': "yue", '行': "hang", '长': "zhang", '朝': "zhao", '重': "chong", '茜': "xi", '晟': "cheng", '娜': "nuo", '莎': "suo",
	'祺': "ji", '传': "zhuan", '藏': "zang", '盛': "cheng", '降': "xiang", '将': "qiang", '省': "xing", '都': "du", '冠': "guan",
	'曾': "ceng", '单': "dan", '覃': "tan", '石': "dan", '柏': "bo", '薄': "bo", '参': "shen", '车': "ju", '调': "tiao", '洞': "tong",
	'还': "huan", '红': "gong", '会': "kuai", '卡': "qia", '可': "ke", '茄': "jia", '蔓': "man", '宓': "mi", '露': "lou", '落': "la",
}

// maxReadings bounds how many ways a name is kept in.
const maxReadings = 4

// readings returns full pinyin and initials of a name by turns, for each way in
// which it may be read.
func readings(name string) []string {
	args := pinyin.NewArgs()
	args.Fallback = func(r rune, _ pinyin.Args) []string { return []string{strings.ToLower(string(r))} }
	letters := []rune(name)
	said := pinyin.Pinyin(name, args)
	if len(said) != len(letters) || len(said) == 0 {
		return nil
	}
	ways := [][]string{{}}
	for i, s := range said {
		if len(s) == 0 {
			continue
		}
		options := s[:1:1]
		other := given[letters[i]]
		if i == 0 {
			other = surnames[letters[i]]
		}
		if other != "" && other != s[0] {
			options = append(options, other)
		}
		if len(ways)*len(options) > maxReadings {
			options = options[:1]
		}
		var next [][]string
		for _, w := range ways {
			for _, o := range options {
				next = append(next, append(w[:len(w):len(w)], o))
			}
		}
		ways = next
	}
	var out []string
	for _, w := range ways {
		var full, initials strings.Builder
		for _, s := range w {
			full.WriteString(s)
			for _, r := range s {
				initials.WriteRune(r)
				break
			}
		}
		out = append(out, full.String(), initials.String())
	}
	return out
}
