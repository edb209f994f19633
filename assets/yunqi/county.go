// Package yunqi is the fictitious Yunqi County (云栖县 459921, a code that is not
// assigned): households, department lists, forms, standards, photos and visits to
// try everything on. Nobody in it exists; identity numbers carry the county's
// unassigned code. The same seed yields the same county, byte for byte.
package yunqi

import (
	"cmp"
	"embed"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Seed is the seed of the county that the demonstration uses.
const Seed = 20260301

// Files are the sample's workbooks and their Markdown twins: forms/入户核查.xlsx,
// forms/补正回访.xlsx, standards/云栖县标准.xlsx, alerts/预警类型.xlsx; and the worked
// examples of households.
//
//go:embed forms standards alerts households template.md
var Files embed.FS

// AlertKinds is the workbook of alert kinds, as alerts.Read reads it.
func AlertKinds() (name string, data []byte) {
	const file = "alerts/预警类型.xlsx"
	b, err := Files.ReadFile(file)
	if err != nil {
		panic(err) // embedded above
	}
	return file, b
}

// A County is the sample county: one township, eight villages.
type County struct {
	Code, Name                 string
	TownshipCode, TownshipName string
	Villages                   []Village
	Households                 []*Household

	seed uint64
}

// A Village has a 12-digit code (GB/T 2260 and three digits each for township and
// village).
type Village struct{ Code, Name string }

// A Household of the registry, with fields named as in domain.md §4.
type Household struct {
	ID      uuid.UUID
	Number  int // from 0
	Village Village
	Kind    Kind
	Fields  map[string]string
	Members []*Member
}

// A Member of a household.
type Member struct {
	ID     uuid.UUID
	Fields map[string]string
}

// Kind is what sort of family the sample made up.
type Kind int

// The kinds, in turn.
const (
	Elders  Kind = iota // a couple, children pay support: 低保
	Workers             // three, one wage: 低保边缘
	Car                 // four, with a car
	Sick                // four, one with large medical bills: 刚性
	Alone               // an old person without kin: 特困
	Left                // a grandmother with two grandchildren, parents away
)

const kinds = 6

var villageNames = []string{"上岭村", "下岭村", "石桥村", "板楞村", "那佰村", "弄怀村", "百朗村", "六花村"}

// New makes the county with a number of households.
func New(seed uint64, households int) *County {
	c := &County{Code: "459921", Name: "云栖县（虚构）", TownshipCode: "459921100", TownshipName: "云栖镇", seed: seed}
	for i, name := range villageNames {
		c.Villages = append(c.Villages, Village{fmt.Sprintf("%s%d", c.TownshipCode, 201+i), name})
	}
	m := &maker{rand: rand.New(rand.NewPCG(seed, 1))}
	for i := range households {
		c.Households = append(c.Households, m.household(i, c.Villages[i%len(c.Villages)], Kind((i/len(c.Villages)*5+i)%kinds)))
	}
	return c
}

// In lists the households of the villages with these codes.
func (c *County) In(villages ...string) []*Household {
	var out []*Household
	for _, h := range c.Households {
		if slices.Contains(villages, h.Village.Code) {
			out = append(out, h)
		}
	}
	return out
}

// Ordered lists the members as a visit does: the head, then by birth, then by id.
func (h *Household) Ordered() []*Member {
	list := slices.Clone(h.Members)
	head := func(m *Member) int {
		if m.Fields["rel"] == "02" || m.Fields["rel"] == "01" {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b *Member) int {
		return cmp.Or(cmp.Compare(head(a), head(b)), cmp.Compare(a.Fields["birth"], b.Fields["birth"]), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return list
}

type maker struct {
	rand    *rand.Rand
	ids     uint64
	numbers int
}

// id is a UUIDv7 of early 2026, counted up.
func (m *maker) id() uuid.UUID {
	var id uuid.UUID
	m.ids++
	ms := uint64(time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC).UnixMilli()) + m.ids
	binary.BigEndian.PutUint64(id[:], ms<<16)
	binary.BigEndian.PutUint64(id[8:], m.rand.Uint64())
	id[6] = 0x70 | byte(m.rand.IntN(16))
	id[7] = byte(m.rand.IntN(256))
	id[8] = 0x80 | id[8]&0x3f
	return id
}

var (
	surnames = []string{"韦", "黄", "覃", "陆", "农", "梁", "蒙", "莫", "罗", "班", "岑", "卢"}
	male     = []string{"大山", "建国", "文堃", "志强", "永福", "喆", "小军", "有田", "春林", "石生", "国庆", "家旺"}
	female   = []string{"秀英", "桂兰", "小妹", "赟", "凤娇", "玉珍", "美莲", "春花", "月娥", "玥", "冬梅", "丽珺"}
)

// person makes a member; sex 1 is male, 2 female.
func (m *maker) person(surname, sex, birth, rel string) *Member {
	given := male
	if sex == "2" {
		given = female
	}
	m.numbers++
	f := map[string]string{
		"name": surname + given[m.numbers%len(given)], "id_type": "idcard", "id_no": m.number(birth, sex),
		"sex": sex, "birth": birth, "rel": rel, "ethnic": "08", "counted": "yes", "residence": "home",
		"health": "10", "dis_kind": "0", "insured": "resident",
	}
	return &Member{m.id(), f}
}

// number is a well-formed identity number of the unassigned region 459921.
func (m *maker) number(birth, sex string) string {
	day := birth[:4] + birth[5:7] + birth[8:]
	seq := m.numbers*2%996 + 2 // even: female; never 000
	if sex == "1" {
		seq++
	}
	s := fmt.Sprintf("459921%s%03d", day, seq)
	return s + string(checkCharacter(s))
}

// checkCharacter is the 18th character (GB 11643-1999, ISO 7064 MOD 11-2).
func checkCharacter(s string) byte {
	sum := 0
	for i := range 17 {
		sum += int(s[i]-'0') * [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}[i]
	}
	return "10X98765432"[sum%11]
}

func (m *maker) birth(year, spread int) string {
	return fmt.Sprintf("%04d-%02d-%02d", year+m.rand.IntN(spread+1), 1+m.rand.IntN(12), 1+m.rand.IntN(28))
}

func (m *maker) household(i int, v Village, kind Kind) *Household {
	surname := surnames[m.rand.IntN(len(surnames))]
	other := surnames[(slices.Index(surnames, surname)+1+m.rand.IntN(len(surnames)-1))%len(surnames)]
	h := &Household{ID: m.id(), Number: i, Village: v, Kind: kind}
	add := func(p *Member, with ...string) {
		for j := 0; j < len(with); j += 2 {
			p.Fields[with[j]] = with[j+1]
		}
		h.Members = append(h.Members, p)
	}
	adult := []string{"marital", "20", "edu", "70", "labour", "full"}
	switch kind {
	case Elders:
		add(m.person(surname, "1", m.birth(1954, 5), "02"), "marital", "20", "edu", "80", "labour", "none", "job", "retired", "health", "20")
		add(m.person(other, "2", m.birth(1956, 6), "10"), "marital", "20", "edu", "80", "labour", "none", "job", "retired")
	case Workers:
		add(m.person(surname, "1", m.birth(1980, 6), "02"), append(adult, "job", "casual")...)
		add(m.person(other, "2", m.birth(1982, 6), "10"), append(adult, "job", "farm")...)
		add(m.person(surname, "2", m.birth(2013, 3), "30"), "edu", "80", "school", "primary", "job", "student")
	case Car:
		add(m.person(surname, "1", m.birth(1983, 5), "02"), append(adult, "job", "formal")...)
		add(m.person(other, "2", m.birth(1985, 5), "10"), append(adult, "job", "casual")...)
		add(m.person(surname, "1", m.birth(2012, 3), "20"), "edu", "80", "school", "primary", "job", "student")
		add(m.person(surname, "2", m.birth(2016, 2), "30"), "school", "primary", "job", "student")
	case Sick:
		add(m.person(surname, "1", m.birth(1972, 5), "02"), append(adult, "job", "casual")...)
		add(m.person(other, "2", m.birth(1974, 5), "10"), "marital", "20", "edu", "70", "labour", "partial", "job", "none", "health", "30")
		add(m.person(surname, "1", m.birth(1999, 3), "20"), "marital", "10", "edu", "60", "labour", "full", "job", "casual")
		add(m.person(surname, "2", m.birth(2011, 1), "30"), "edu", "70", "school", "junior", "job", "student")
	case Alone:
		add(m.person(surname, "1", m.birth(1948, 5), "02"), "marital", "10", "edu", "80", "labour", "none", "job", "retired", "health", "20")
	case Left:
		add(m.person(surname, "2", m.birth(1956, 4), "02"), "marital", "30", "edu", "80", "labour", "none", "job", "retired")
		add(m.person(other, "1", m.birth(2013, 2), "40"), "school", "primary", "job", "student")
		add(m.person(other, "2", m.birth(2016, 2), "40"), "school", "primary", "job", "student")
	}
	h.Fields = map[string]string{
		"name": h.Members[0].Fields["name"], "address": fmt.Sprintf("%s%d组", v.Name, 1+i/len(villageNames)%6), "area": "rural", "live_code": v.Code,
		"village": v.Name, "phone": fmt.Sprintf("199000%05d", 100+i), "aid": map[Kind]string{Elders: "dibao", Alone: "tekun", Sick: "edge"}[kind],
		"house_structure": "brick_wood", "house_safety": "B", "water": "tap", "money_range": "r1", "veh_car_has": "none",
	}
	if h.Fields["aid"] == "" {
		h.Fields["aid"] = "none"
	}
	return h
}

// Template is an export template as a county would write it for a national system.
func Template() []byte {
	b, err := Files.ReadFile("template.md")
	if err != nil {
		panic(err) // embedded above
	}
	return b
}
