package export_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/csv"
	"encoding/json"
	"hash/crc32"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/visit"
	"ironfeet/app/export"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
)

var ctx = context.Background()

// TestMain makes one county with three accepted, decided visits for all tests:
// enrolling costs more than everything that is tested here.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ironfeet-export-")
	if err != nil {
		panic(err)
	}
	practised = func() (*practice.County, error) {
		return practice.Visited(ctx, world.Real(), filepath.Join(dir, "county"), 24, 3, 3)
	}
	practised = sync.OnceValues(practised)
	code := m.Run()
	if c, err := practised(); err == nil {
		c.Close()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

var practised func() (*practice.County, error)

// verified is that county and its records, read anew.
func verified(t testing.TB) (*practice.County, []export.Record) {
	t.Helper()
	c, err := practised()
	require.NoError(t, err)
	records, err := export.Verified(ctx, c.Office.Replica, "")
	require.NoError(t, err)
	require.Len(t, records, 3)
	return c, records
}

func TestEvidence(t *testing.T) { // invariant 3
	c, records := verified(t)
	signer := export.Signer{Node: c.Office.Replica.Identity().Node, Key: c.Office.NodeKey, Root: c.Office.Root, Now: time.Now}
	var b bytes.Buffer
	n, err := export.WriteEvidence(ctx, &b, c.Office.Replica, export.ByVisit(records), signer, false)
	require.NoError(t, err)
	require.Equal(t, 3, n.Visits)
	require.Equal(t, 6, n.Attestations)
	require.Zero(t, n.Missing)
	whole := b.Bytes()
	check := func(data []byte) []error {
		_, faults := export.Verify(bytes.NewReader(data), int64(len(data)), c.Office.Root)
		return faults
	}
	require.Empty(t, check(whole))

	// The same records make the same package but for its day.
	other, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, "township")
	require.NoError(t, err)
	defer other.Close()
	_, faults := export.Verify(bytes.NewReader(whole), int64(len(whole)), other.Office.Root)
	require.NotEmpty(t, faults, "another county's key")

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	positions := []int{0, 1, 30, len(whole) - 1, len(whole) - 22, len(whole) / 2}
	for range 120 {
		positions = append(positions, random.IntN(len(whole)))
	}
	for _, at := range positions {
		bad := bytes.Clone(whole)
		bad[at] ^= byte(1 << random.IntN(8))
		faults := check(bad)
		require.NotEmpty(t, faults, "byte %d of %d altered", at, len(whole))
		for _, f := range faults {
			var tampered *export.Tampered
			require.ErrorAs(t, f, &tampered)
			require.NotEmpty(t, tampered.Part)
		}
	}
	require.NotEmpty(t, check(whole[:len(whole)-100]), "torn")
	require.NotEmpty(t, check(append(bytes.Clone(whole), 0)), "longer")
}

// repack writes the package anew with its entries altered by somebody who has
// everything but the county's keys.
func repack(t testing.TB, whole []byte, alter func(name string, data []byte) (string, []byte, bool)) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
	require.NoError(t, err)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		as, content, keep := alter(f.Name, data)
		if !keep {
			continue
		}
		// As the writer itself does it, so that only the content differs.
		e, err := w.CreateRaw(&zip.FileHeader{Name: as, Method: zip.Store, CRC32: crc32.ChecksumIEEE(content), CompressedSize64: uint64(len(content)), UncompressedSize64: uint64(len(content))})
		require.NoError(t, err)
		_, err = e.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func flip(data []byte) []byte {
	bad := bytes.Clone(data)
	bad[len(bad)/2] ^= 1
	return bad
}

// TestEvidenceReadAPageAtATime is byte for byte the package of records that are all in
// memory.
func TestEvidenceReadAPageAtATime(t *testing.T) {
	c, records := verified(t)
	at := time.Now()
	signer := export.Signer{Node: c.Office.Replica.Identity().Node, Key: c.Office.NodeKey, Root: c.Office.Root, Now: func() time.Time { return at }}
	paged, err := export.EvidenceOf(ctx, c.Office.Replica, export.Selection{Status: export.OnlyVerified})
	require.NoError(t, err)
	var one, two bytes.Buffer
	_, err = export.WriteEvidence(ctx, &one, c.Office.Replica, export.ByVisit(records), signer, true)
	require.NoError(t, err)
	_, err = export.WriteEvidence(ctx, &two, c.Office.Replica, paged, signer, true)
	require.NoError(t, err)
	require.Contains(t, one.String(), "determination.json")
	require.True(t, bytes.Equal(one.Bytes(), two.Bytes()))
}

func TestEveryTamperingIsRefusedAndNamed(t *testing.T) { // invariant 3
	c, records := verified(t)
	signer := export.Signer{Node: c.Office.Replica.Identity().Node, Key: c.Office.NodeKey, Root: c.Office.Root, Now: time.Now, Checkpoint: []byte("checkpoint\n")}
	var b bytes.Buffer
	_, err := export.WriteEvidence(ctx, &b, c.Office.Replica, export.ByVisit(records), signer, true)
	require.NoError(t, err)
	whole := bytes.Clone(b.Bytes())
	one := "visits/" + records[0].Visit.ID.String() + "/"
	young := "visits/" + withChildren(t, records).String() + "/"
	photo := "blobs/" + records[0].Visit.Content.Photos[0].Digest.String()
	enrolment := "certificates/" + records[0].Visit.Investigator[0].String()

	// A thief's own county: a manifest that he can sign.
	_, thief, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	forged := signer
	forged.Key = thief
	b.Reset()
	_, err = export.WriteEvidence(ctx, &b, c.Office.Replica, export.ByVisit(records[1:]), forged, true)
	require.NoError(t, err)
	forgery := bytes.Clone(b.Bytes())

	alter := func(prefix string) func(string, []byte) (string, []byte, bool) {
		return func(n string, d []byte) (string, []byte, bool) {
			if strings.HasPrefix(n, prefix) {
				return n, flip(d), true
			}
			return n, d, true
		}
	}
	leave := func(prefix string) func(string, []byte) (string, []byte, bool) {
		return func(n string, d []byte) (string, []byte, bool) { return n, d, !strings.HasPrefix(n, prefix) }
	}
	for _, test := range []struct {
		name string
		file []byte
		part string // what the refusal names
		what string
	}{
		{"the signed record is altered", repack(t, whole, alter(one+"content.cbor")), one + "content.cbor", "altered"},
		{"the readable record is altered", repack(t, whole, alter(one+"record.json")), one + "record.json", "altered"},
		{"what concerns children is altered", repack(t, whole, alter(young+"children.cbor")), young + "children.cbor", "altered"},
		{"what concerns children is left out", repack(t, whole, leave(young+"children.cbor")), young + "children.cbor", "missing"},
		{"a decision is altered", repack(t, whole, alter(one+"determination.json")), one + "determination.json", "altered"},
		{"a photo is altered", repack(t, whole, alter(photo)), photo, "altered"},
		{"an attestation is altered", repack(t, whole, alter(one+"attestation-1.cose")), one + "attestation-1.cose", "altered"},
		{"an enrolment is altered", repack(t, whole, alter(enrolment)), enrolment, "altered"},
		{"a bundle's head is altered", repack(t, whole, alter("heads/")), "heads/", "altered"},
		{"the audit checkpoint is altered", repack(t, whole, alter("audit/")), "audit/", "altered"},
		{"the manifest is altered", repack(t, whole, alter("manifest.cose")), "manifest.cose", "altered"},
		{"a record is left out", repack(t, whole, leave(one)), one + "content.cbor", "missing"},
		{"a photo is left out", repack(t, whole, leave(photo)), photo, "missing"},
		{"an attestation is left out", repack(t, whole, leave(one+"attestation-2.cose")), one + "attestation-2.cose", "missing"},
		{"an enrolment is left out", repack(t, whole, leave(enrolment)), enrolment, "missing"},
		{"the manifest is left out", repack(t, whole, leave("manifest.cose")), "manifest.cose", "missing"},
		{"an entry is added", repack(t, whole, func(n string, d []byte) (string, []byte, bool) {
			return strings.Replace(n, "audit/checkpoint.txt", "audit/other.txt", 1), d, true
		}), "audit/other.txt", "added"},
		{"a record is left out and the manifest written anew by somebody else", forgery, "manifest.cose", "not_trusted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			proof, faults := export.Verify(bytes.NewReader(test.file), int64(len(test.file)), c.Office.Root)
			require.Nil(t, proof)
			require.NotEmpty(t, faults)
			var said []string
			for _, f := range faults {
				var tampered *export.Tampered
				require.ErrorAs(t, f, &tampered)
				said = append(said, tampered.Part+" "+tampered.What)
			}
			require.True(t, slices.ContainsFunc(said, func(s string) bool {
				return strings.HasPrefix(s, test.part) && strings.HasSuffix(s, test.what)
			}), "%v names no %s %s", said, test.part, test.what)
		})
	}
	_, faults := export.Verify(bytes.NewReader(whole), int64(len(whole)), c.Office.Root)
	require.Empty(t, faults)
}

func withChildren(t testing.TB, records []export.Record) uuid.UUID {
	for _, r := range records {
		if slices.ContainsFunc(r.Visit.Content.Covers, func(c visit.Cover) bool { return c.Kind == visit.Children }) {
			return r.Visit.ID
		}
	}
	require.Fail(t, "no visit of the practice county has children")
	return uuid.Nil
}

// What is protected is proved without being shown: neighbours' words never, what
// concerns children only with consent (domain.md §1).
func TestEvidenceWithholdsWhatIsProtected(t *testing.T) {
	c, records := verified(t)
	signer := export.Signer{Node: c.Office.Replica.Identity().Node, Key: c.Office.NodeKey, Root: c.Office.Root, Now: time.Now}
	young := withChildren(t, records)
	for _, children := range []bool{false, true} {
		var b bytes.Buffer
		n, err := export.WriteEvidence(ctx, &b, c.Office.Replica, export.ByVisit(records), signer, children)
		require.NoError(t, err)
		require.Contains(t, string(records[0].Visit.Parts[0]), "说的和家里讲的差不多")
		require.NotContains(t, b.String(), "说的和家里讲的差不多", "nowhere in the package")
		require.Equal(t, children, strings.Contains(b.String(), "child_with"))
		proof, faults := export.Verify(bytes.NewReader(b.Bytes()), int64(b.Len()), c.Office.Root)
		require.Empty(t, faults)
		require.Equal(t, n.Withheld, proof.Withheld)
		require.GreaterOrEqual(t, proof.Withheld, len(records), "each has a neighbour's words")
		var part []byte
		for _, r := range records {
			if i := slices.IndexFunc(r.Visit.Content.Covers, func(c visit.Cover) bool { return c.Kind == visit.Children }); r.Visit.ID == young {
				part = r.Visit.Parts[i]
			}
		}
		require.Equal(t, children, bytes.Contains(b.Bytes(), part))
	}

	// What was signed before parts were signed apart can only be shown whole.
	old := records[0]
	signed := *old.Visit
	signed.Content.Covers, signed.Parts = nil, nil
	old.Visit = &signed
	var held *export.HeldError
	_, err := export.WriteEvidence(ctx, io.Discard, c.Office.Replica, export.ByVisit([]export.Record{old}), signer, false)
	require.ErrorAs(t, err, &held)
}

// each makes records a sequence again.
func each(records []export.Record) iter.Seq2[export.Record, error] {
	return func(yield func(export.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func write(t testing.TB, format string, records []export.Record, tpl *export.Template, o export.Options) (string, export.Count) {
	t.Helper()
	var b bytes.Buffer
	if o.Day.IsZero() {
		o.Day = time.Now()
	}
	n, err := export.Write(&b, format, each(records), tpl, o)
	require.NoError(t, err)
	return b.String(), n
}

func TestTables(t *testing.T) {
	_, records := verified(t)
	text, n := write(t, "csv", records, export.Default(), export.Options{})
	require.Equal(t, 3, n.Households)
	require.True(t, strings.HasPrefix(text, "\ufeff"), "spreadsheets need the mark")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	require.Zero(t, n.Failed)

	full := export.Options{Unmasked: true, Reason: "年度核查，报州民政局"}
	for _, format := range export.Formats {
		masked, n := write(t, format, records, export.Default(), export.Options{})
		unmasked, _ := write(t, format, records, export.Default(), full)
		if format == "xlsx" {
			masked, unmasked = sheets(t, masked), sheets(t, unmasked)
		}
		require.Contains(t, unmasked, records[0].Household.Text("phone"), format)
		for _, r := range records {
			require.NotContains(t, masked, r.Household.Text("phone"), format)
			require.NotContains(t, masked, r.Household.Text("name"), format)
			for _, m := range r.Members {
				require.NotContains(t, masked, m.Text("id_no"), "%s: masked unless asked for", format)
				if age(m.Text("birth")) < 18 {
					require.NotContains(t, unmasked, m.Text("id_no"), "%s: a child is in no general export", format)
					require.NotContains(t, unmasked, m.Text("name"), format)
				}
			}
		}
		for _, out := range []string{masked, unmasked} {
			require.NotContains(t, out, "说的和家里讲的差不多", "a neighbour's words are never exported")
		}
		require.NotZero(t, n.MinorsLeftOut, "the sample has children")
	}
	_, err = export.Write(&bytes.Buffer{}, "csv", each(records), export.Default(), export.Options{Unmasked: true, Day: time.Now()})
	require.ErrorIs(t, err, export.ErrNoReason)
	_, err = export.Write(&bytes.Buffer{}, "docx", each(records), export.Default(), export.Options{Day: time.Now()})
	require.ErrorContains(t, err, "docx")

	lines, n := write(t, "jsonl", records, export.Default(), export.Options{})
	require.Equal(t, n.Households, strings.Count(lines, "\n"))
	for line := range strings.Lines(lines) {
		var one map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &one))
		require.NotEmpty(t, one["成员"])
	}
	points, _ := write(t, "geojson", records, export.Default(), full)
	var g struct {
		Type     string
		Features []struct {
			Geometry   struct{ Coordinates []float64 }
			Properties map[string]string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(points), &g))
	require.Equal(t, "FeatureCollection", g.Type)
	require.Len(t, g.Features, 3)
	require.InDelta(t, 106.2, g.Features[0].Geometry.Coordinates[0], 0.1, "longitude first (RFC 7946)")
	blurred, _ := write(t, "geojson", records, export.Default(), export.Options{})
	require.Contains(t, blurred, "[106.2,23.1]", "masked, a point is a kilometre wide")
}

func age(birth string) int {
	at, err := time.Parse(time.DateOnly, birth)
	if err != nil {
		return 0
	}
	return int(time.Since(at).Hours() / 24 / 365.25)
}

// sheets are all cells of a workbook, and checks that numbers of 18 digits are text.
func sheets(t testing.TB, data string) string {
	t.Helper()
	f, err := excelize.OpenReader(strings.NewReader(data))
	require.NoError(t, err)
	defer f.Close()
	var all strings.Builder
	for _, s := range f.GetSheetList() {
		rows, err := f.GetRows(s)
		require.NoError(t, err)
		for i, row := range rows {
			for j, v := range row {
				all.WriteString(v + "\n")
				if len(v) == 18 && i > 0 {
					cell, err := excelize.CoordinatesToCellName(j+1, i+1)
					require.NoError(t, err)
					kind, err := f.GetCellType(s, cell)
					require.NoError(t, err)
					require.Equal(t, excelize.CellTypeInlineString, kind, "%s!%s %s", s, cell, v)
				}
			}
		}
	}
	return all.String()
}

const template = `## 设置

| 名称 | 值 |
| --- | --- |
| 标题 | 金民工程导入 |

## 列

| 工作表 | 每行 | 列名 | 取值 | 代码表 | 类型 |
| --- | --- | --- | --- | --- | --- |
| 家庭 | 户 | 户主 | ${name} | | |
| 家庭 | 户 | 饮水 | ${visit.water} | 饮水 | |
| 家庭 | 户 | 老人 | count(/members[age >= 60]) | | 数字 |
| 家庭 | 户 | 年收入 | sum(/incomes/yearly) | | 数字 |
| 家庭 | 户 | 保障 | if(${category} = 'dibao' or ${category} = 'tekun', '1', '0') | | |
| 家庭 | 户 | 孩子 | count(/members[age < 18]) | | 数字 |
| 家庭 | 户 | 结论 | ${visit.summary} | | |
| 人员 | 成员 | 证件 | ${id_no} | | |
| 人员 | 成员 | 户主电话 | ${household.phone} | | |

## 代码

| 代码表 | 代码 | 名称 |
| --- | --- | --- |
| 饮水 | well | 02 |
`

func TestACountyWritesItsOwnTemplate(t *testing.T) {
	c, records := verified(t)
	fields, err := export.FieldsOf(ctx, c.Office.Replica)
	require.NoError(t, err)
	tpl, report := export.ReadTemplate("金民.md", []byte(template), fields)
	require.NotNil(t, tpl, "%v", report.Errors)
	text, n := write(t, "csv", records, tpl, export.Options{})
	require.Equal(t, 3, n.Unmapped, "the list does not know the code tap: it stands as it is, and is counted")
	require.Zero(t, n.Failed)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"户主", "饮水", "老人", "年收入", "保障", "孩子", "结论"}, rows[0], "the order of the rows is the order of the columns")
	for _, row := range rows[1:] {
		require.Equal(t, "tap", row[1])
		require.Equal(t, "0", row[5], "minors are not even counted by a formula")
		require.Equal(t, "**", row[6], "free text is withheld: anything can stand in it")
	}
	text, _ = write(t, "csv", records, tpl, export.Options{Unmasked: true, Reason: "移送"})
	require.Contains(t, text, "家里收拾得干净")
}

func TestAFaultyTemplateNamesItsCells(t *testing.T) {
	c, _ := verified(t)
	fields, err := export.FieldsOf(ctx, c.Office.Replica)
	require.NoError(t, err)
	for _, test := range []struct{ name, from, to, code, near string }{
		{"an unknown field", "${visit.water}", "${visit.watr}", "template.unknown_field", "visit.water"},
		{"a formula that cannot be read", "sum(/incomes/yearly)", "sum(/incomes/", "template.formula", ""},
		{"a function that is not known", "sum(/incomes/yearly)", "system('rm')", "template.formula", ""},
		{"a neighbour's words", "${visit.summary}", "${visit.nb_says}", "template.never", ""},
		{"what concerns children", "${visit.summary}", "${visit.child_status}", "template.never", ""},
		{"a list of codes that is not there", "| 饮水 | |\n", "| 饮用水 | |\n", "template.no_codes", "饮水"},
		{"a code twice", "| 饮水 | well | 02 |", "| 饮水 | well | 02 |\n| 饮水 | well | 03 |", "template.code_twice", ""},
		{"no source", "${household.phone}", "", "template.column_incomplete", ""},
		{"a row of neither kind", "| 户 | 户主 |", "| 村 | 户主 |", "template.row", ""},
		{"no columns", "## 列", "## 别的", "template.no_sheet", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Contains(t, template, test.from)
			tpl, report := export.ReadTemplate("x.md", []byte(strings.Replace(template, test.from, test.to, 1)), fields)
			require.Nil(t, tpl)
			require.NotEmpty(t, report.Errors)
			require.Equal(t, test.code, report.Errors[0].Code, "%v", report.Errors)
			require.Equal(t, test.near, report.Errors[0].Near)
		})
	}
	tpl, report := export.ReadTemplate("x.xlsx", make([]byte, export.MaxTemplate+1), fields)
	require.Nil(t, tpl)
	require.Equal(t, "template.too_large", report.Errors[0].Code)
}

// Names that a spreadsheet would run, and marks that turn what is read around.
func TestWhatANameCannotDo(t *testing.T) {
	_, records := verified(t)
	for _, test := range []struct{ name, stands string }{
		{"=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"},
		{"+1+cmd", "'+1+cmd"}, {"-2+3", "'-2+3"}, {"@SUM(A1)", "'@SUM(A1)"}, {"＝1+1", "'＝1+1"}, {"-5.20", "-5.20"},
		{"\t=1", "' =1"[1:]}, {"韦\u202e大山", "韦大山"}, {"韦\n大山", "韦 大山"}, {"<script>alert(1)</script>", "<script>alert(1)</script>"},
	} {
		records[0].Household.Fields["name"] = store.Text(test.name)
		o := export.Options{Unmasked: true, Reason: "试"}
		text, _ := write(t, "csv", records[:1], export.Default(), o)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
		require.NoError(t, err)
		require.Equal(t, test.stands, rows[1][2], "%q", test.name)
		book, _ := write(t, "xlsx", records[:1], export.Default(), o)
		require.Contains(t, sheets(t, book), test.stands, "%q", test.name)
	}
}

func TestMasks(t *testing.T) {
	require.Equal(t, "459921********0013", export.MaskID("459921195203150013"))
	require.Equal(t, "138****5678", export.MaskPhone("13812345678"))
	require.Equal(t, "韦**", export.MaskName("韦大山"))
	require.NotContains(t, export.MaskID("12345"), "345")
}

var small = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	e, _ := w.CreateHeader(&zip.FileHeader{Name: "manifest.cose", Method: zip.Store})
	_, _ = e.Write([]byte("x"))
	_ = w.Close()
	return out.Bytes()
})

func FuzzVerify(f *testing.F) {
	f.Add(small())
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if proof, faults := export.Verify(bytes.NewReader(data), int64(len(data)), make([]byte, 32)); proof != nil || len(faults) == 0 {
			t.Fatal("something was believed")
		}
	})
}
