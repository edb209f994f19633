package forms

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestChineseThroughout: names, lists, choices, groups and references in Chinese,
// with characters beyond the basic plane.
func TestChineseThroughout(t *testing.T) {
	f := open(t, `
| survey | type | name | label::中文 (zh) | label::English (en) | relevant | calculation | choice_filter | constraint | constraint_message::中文 (zh) |
| | begin group | 家庭 | 家庭 | Household | | | | | |
| | text | 姓名 | 姓名 | Name | | | | string-length(.) <= 3 | 最多三个字 |
| | select_one 镇 | 所在镇 | 镇 | Town | | | | | |
| | select_one 村 | 所在村 | 村 | Village | | | 镇 = ${所在镇} | | |
| | end group | | | | | | | | |
| | begin repeat | 成员 | 成员 | Members | ${姓名} != '' | | | | |
| | integer | 年龄 | ${姓名}家第几个 | Age | | | | | |
| | calculate | 成年 | | | | if(${年龄} >= 18, '是', '否') | | | |
| | end repeat | | | | | | | | |
| | calculate | 成年人 | | | | count(${成员}[成年 = '是']) | | | |
| choices | list_name | name | label::中文 (zh) | label::English (en) | 镇 |
| | 镇 | 云栖 | 云栖镇 | Yunqi | |
| | 镇 | 上岭 | 上岭镇 | Shangling | |
| | 村 | 石桥 | 石桥村 | Shiqiao | 云栖 |
| | 村 | 板楞 | 板楞村 | Banleng | 上岭 |
| settings | form_id | version | default_language |
| | cjk | 1 | 中文 (zh) |
`)
	e := f.New(Options{})
	for _, a := range [][2]string{{"/家庭/姓名", "韦𠮷堃"}, {"/家庭/所在镇", "云栖"}, {"/成员[1]/年龄", "40"}, {"/成员[2]/年龄", "9"}, {"/data/成员[3]/年龄", "18"}} {
		_, err := e.Set(a[0], a[1])
		require.NoError(t, err)
	}
	n, _ := e.Node("/家庭/姓名")
	require.True(t, n.Valid, "three characters, whatever plane they are in")
	n, _ = e.Node("/家庭/所在村")
	require.Equal(t, []Choice{{Name: "石桥", Label: "石桥村"}}, n.Choices)
	n, _ = e.Node("/成年人")
	require.Equal(t, "2", n.Value)
	n, _ = e.Node("/成员[2]/年龄")
	require.Equal(t, "韦𠮷堃家第几个", n.Label)
	_, err := e.Set("/家庭/姓名", "欧阳𠮷堃")
	require.NoError(t, err)
	n, _ = e.Node("/家庭/姓名")
	require.Equal(t, "最多三个字", n.Message)

	// A new instance speaks the language that was chosen.
	require.True(t, e.SetLanguage("en"))
	path, err := e.Add("/成员")
	require.NoError(t, err)
	n, _ = e.Node(path + "/年龄")
	require.Equal(t, "Age", n.Label)
}

// TestADraftSurvivesANewerForm: answers are kept by path, a renamed question is
// found by the column was, and what no longer fits is reported, never dropped.
func TestADraftSurvivesANewerForm(t *testing.T) {
	const head = "| survey | type | name | label | was |\n"
	old := open(t, head+`
| | text | name | Name | |
| | integer | age | Age | |
| | text | remark | Remark | |
| | begin repeat | kids | Kids | |
| | text | kid | Kid | |
| | end repeat | | | |
| settings | form_id | version |
| | f | 1 |
`)
	e := old.New(Options{})
	for _, a := range [][2]string{{"/name", "韦一"}, {"/age", "40"}, {"/remark", "门口有狗"}, {"/kids[1]/kid", "甲"}, {"/kids[2]/kid", "乙"}} {
		_, err := e.Set(a[0], a[1])
		require.NoError(t, err)
	}
	newer := open(t, head+`
| | text | full_name | Name | name |
| | integer | age | Age | |
| | text | phone | Phone | |
| | begin repeat | kids | Kids | |
| | text | kid_name | Kid | kid |
| | end repeat | | | |
| settings | form_id | version |
| | f | 2 |
`)
	again := newer.New(Options{})
	require.Equal(t, []string{"/data/remark"}, again.Restore(e.Answers()))
	for path, want := range map[string]string{"/full_name": "韦一", "/age": "40", "/kids[2]/kid_name": "乙", "/phone": ""} {
		n, ok := again.Node(path)
		require.True(t, ok, path)
		require.Equal(t, want, n.Value, path)
	}
}

// TestFilesBesideTheForm: choices and values from CSV files, by index.
func TestFilesBesideTheForm(t *testing.T) {
	beside := fstest.MapFS{
		"towns.csv":  {Data: []byte("\ufeffname,label,county\nyq,云栖镇,a\nsl,上岭镇,b\n")},
		"people.csv": {Data: []byte("id,name,village\n1,韦大山,石桥村\n2,黄秀英,板楞村\n")},
	}
	f, report := Open("f.md", []byte(`
| survey | type | name | label | calculation | choice_filter |
| | select_one_from_file towns.csv | town | Town | | county = ${county} |
| | text | county | County | | |
| | text | id | Id | | |
| | calculate | person | | pulldata('people', 'name', 'id', ${id}) | |
| | calculate | village | | instance('people')/root/item[id = ${id}]/village | |
| settings | form_id | version |
| | f | 1 |
`), beside)
	require.NotNil(t, f, report.Errors)
	e := f.New(Options{})
	_, err := e.Set("/county", "b")
	require.NoError(t, err)
	n, _ := e.Node("/town")
	require.Equal(t, []Choice{{Name: "sl", Label: "上岭镇"}}, n.Choices)
	_, err = e.Set("/id", "2")
	require.NoError(t, err)
	n, _ = e.Node("/person")
	require.Equal(t, "黄秀英", n.Value)

	// A file that is not there is said; the form opens.
	f, report = Open("f.md", []byte("| survey | type | name | label |\n| | select_one_from_file none.csv | t | T |\n| settings | form_id | version |\n| | f | 1 |\n"))
	require.NotNil(t, f)
	require.Contains(t, report.Warnings[0].Message, "none.csv")
}

// TestListsOfOtherKinds: GeoJSON, XML, a loop over a list, choices in a random
// order, and a search in a file.
func TestListsOfOtherKinds(t *testing.T) {
	beside := fstest.MapFS{
		"places.geojson": {Data: []byte(`{"type":"FeatureCollection","features":[{"type":"Feature","id":"p1","properties":{"title":"上岭","homes":31},"geometry":{"type":"Point","coordinates":[106.5,23.25]}}]}`)},
		"towns.xml":      {Data: []byte(`<?xml version="1.0"?><root><item><name>yq</name><label>云栖镇</label></item><item><name>sl</name><label>上岭镇</label></item></root>`)},
		"people.csv":     {Data: []byte("id,name,village\n1,韦大山,石桥村\n2,黄秀英,板楞村\n3,韦小山,板楞村\n")},
	}
	f, report := Open("f.md", []byte(`
| survey | type | name | label | appearance | parameters | relevant | calculation |
| | begin loop over crops | crop | Crops | | | | |
| | decimal | mu | How much %(label)s? | | | | |
| | integer | kg | Kilos of %(name)s, %(unit)s | | | ../mu > 0 | |
| | end loop | | | | | | |
| | select_one_from_file places.geojson | place | Place | | | | |
| | calculate | where | | | | | instance('places')/root/item[id = ${place}]/geometry |
| | select_one_from_file towns.xml | town | Town | | | | |
| | select_one letters | random | Random | | randomize=true seed=42 | | |
| | text | part | Part | | | | |
| | select_one who | who | Who | minimal search('people', 'contains', 'name', ${part}, 'village', '板楞村') | | | |
| | note | said | ${who} in ${town} at ${place} | | | | |
| choices | list_name | name | label | unit |
| | crops | rice | 水稻 | 斤 |
| | crops | maize | 玉米 | 公斤 |
| | letters | a | A | |
| | letters | b | B | |
| | letters | c | C | |
| | letters | d | D | |
| | letters | e | E | |
| | who | other | 别人 | |
| | who | id | name,village | |
| settings | form_id | version |
| | f | 1 |
`), beside)
	require.NotNil(t, f, report.Errors)
	require.Empty(t, report.Warnings)
	e := f.New(Options{})
	for _, a := range [][2]string{{"/crop/rice/mu", "2"}, {"/place", "p1"}, {"/town", "sl"}, {"/part", "山"}, {"/who", "3"}} {
		_, err := e.Set(a[0], a[1])
		require.NoError(t, err)
	}
	node := func(path string) Node {
		n, ok := e.Node(path)
		require.True(t, ok, path)
		return n
	}
	require.Equal(t, "How much 水稻?", node("/crop/rice/mu").Label)
	require.Equal(t, "Kilos of maize, 公斤", node("/crop/maize/kg").Label)
	require.True(t, node("/crop/rice/kg").Relevant)
	require.False(t, node("/crop/maize/kg").Relevant)
	require.Equal(t, []Choice{{Name: "p1", Label: "上岭"}}, node("/place").Choices)
	require.Equal(t, "23.25 106.5 0 0", node("/where").Value)
	require.Equal(t, []Choice{{Name: "yq", Label: "云栖镇"}, {Name: "sl", Label: "上岭镇"}}, node("/town").Choices)
	require.Equal(t, []Choice{{Name: "other", Label: "别人"}, {Name: "3", Label: "韦小山 板楞村"}}, node("/who").Choices)
	require.Equal(t, "韦小山 板楞村 in 上岭镇 at 上岭", node("/said").Label)
	_, err := e.Set("/who", "1")
	require.NoError(t, err)
	require.Equal(t, "answer.choice", node("/who").Code, "she lives in another village")

	order := ""
	for _, c := range node("/random").Choices {
		order += c.Name
	}
	require.Equal(t, "aecbd", order, "in ODK's order for 42")
}

// TestRepeatsThatCountThemselves: by a number, and by the answers inside.
func TestRepeatsThatCountThemselves(t *testing.T) {
	f := open(t, `
| survey | type | name | label | repeat_count | calculation |
| | integer | n | N | | |
| | begin repeat | a | A | ${n} | |
| | text | x | X | | |
| | end repeat | | | | |
| | begin repeat | b | B | ${more} + 1 | |
| | select_one yn | again | Another? | | |
| | end repeat | | | | |
| | calculate | more | | | count-selected(join(' ', ${again})) - count(${b}[again = 'no']) |
| choices | list_name | name | label |
| | yn | yes | Yes |
| | yn | no | No |
| settings | form_id | version |
| | f | 1 |
`)
	e := f.New(Options{})
	count := func(repeat string) int {
		n := 0
		for _, x := range e.Nodes() {
			if x.Type == "instance" && strings.HasPrefix(x.Path, repeat+"[") {
				n++
			}
		}
		return n
	}
	require.Equal(t, 0, count("/data/a"))
	require.Equal(t, 1, count("/data/b"))
	_, err := e.Set("/n", "3")
	require.NoError(t, err)
	_, err = e.Set("/a[3]/x", "三")
	require.NoError(t, err)
	_, err = e.Set("/n", "2")
	require.NoError(t, err)
	require.Equal(t, 2, count("/data/a"))
	_, err = e.Set("/n", "3")
	require.NoError(t, err)
	n, _ := e.Node("/a[3]/x")
	require.Equal(t, "三", n.Value, "a slip of the finger costs nothing")
	_, err = e.Add("/a")
	require.Error(t, err)

	for i := 1; i <= 3; i++ {
		_, err = e.Set("/b["+string(rune('0'+i))+"]/again", "yes")
		require.NoError(t, err)
	}
	require.Equal(t, 4, count("/data/b"))
	_, err = e.Set("/b[4]/again", "no")
	require.NoError(t, err)
	require.Equal(t, 4, count("/data/b"))
}

// TestDevicesAnswers and defaults: once, at the beginning.
func TestDevicesAnswers(t *testing.T) {
	f := open(t, `
| survey | type | name | label | default | calculation |
| | today | day | | | |
| | deviceid | device | | | |
| | text | place | Place | 石桥村 | |
| | date | when | When | today() | |
| | calculate | age | | | int((${day} - date('2000-03-01')) div 365.25) |
| settings | form_id | version |
| | f | 1 |
`)
	e := f.New(Options{Now: func() time.Time { return time.Date(2026, 3, 1, 23, 59, 0, 0, time.UTC) }, DeviceID: "tablet"})
	for path, want := range map[string]string{"/day": "2026-03-01", "/device": "tablet", "/place": "石桥村", "/when": "2026-03-01", "/age": "25"} {
		n, _ := e.Node(path)
		require.Equal(t, want, n.Value, path)
	}
	_, err := e.Set("/place", "")
	require.NoError(t, err)
	n, _ := e.Node("/place")
	require.Equal(t, "", n.Value, "a default that was cleared stays cleared")
}
