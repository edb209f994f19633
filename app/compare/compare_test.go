package compare_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/compare"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
)

var (
	ctx   = context.Background()
	today = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
)

func kinds(t testing.TB) *alerts.Kinds {
	t.Helper()
	k, report := alerts.Read(yunqi.AlertKinds())
	require.Empty(t, report.Errors)
	require.Empty(t, report.Warnings)
	return k
}

// plain is a source without fields or kinds.
var plain = &alerts.Source{Name: "x"}

func TestTheSamplesListsComeToWhatTheyMust(t *testing.T) {
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 120, "township")
	require.NoError(t, err)
	defer c.Close()
	k := kinds(t)
	for _, l := range c.Sample.Lists() {
		s := k.Source(l.Source)
		rep, err := compare.Run(ctx, c.Office.Replica, world.Real(), c.Clerk, k, s, compare.FromBytes(l.File, l.Data), compare.Options{})
		require.NoError(t, err)
		require.Equal(t, l.Rows, rep.Read, l.File)
		require.Equal(t, l.Matched, rep.Matched, l.File)
		require.Equal(t, l.Unmatched, rep.Unmatched, l.File)
		require.Len(t, rep.Rejected, l.Rejected, l.File)
		require.Len(t, rep.Hits, l.Hits, l.File)
		require.Equal(t, l.Hits, rep.Raised.Alerts, l.File)

		again, err := compare.Run(ctx, c.Office.Replica, world.Real(), c.Clerk, k, s, compare.FromBytes(l.File, l.Data), compare.Options{})
		require.NoError(t, err)
		require.True(t, again.Again)
		require.Zero(t, again.Raised.Alerts, "the same facts raise nothing twice")
		require.Equal(t, l.Hits, again.Raised.Known)

		var b bytes.Buffer
		require.NoError(t, compare.WriteRejected(&b, rep, func(code string) string { return code }))
		f, err := excelize.OpenReader(&b)
		require.NoError(t, err)
		rows, err := f.GetRows("不能比对")
		require.NoError(t, err)
		require.Len(t, rows, l.Rejected+1)
	}
	raised, err := c.Office.Replica.Count(ctx, store.Query{Kind: store.Alert})
	require.NoError(t, err)
	require.Positive(t, raised)
}

const id = "459921195203150013"

// people is a registry of two.
func people(yield func(compare.Person, error) bool) {
	_ = yield(compare.Person{ID: uuid.UUID{1}, Household: uuid.UUID{9}, Name: "韦大山", Number: id, Division: "459921100201"}, nil) &&
		yield(compare.Person{ID: uuid.UUID{2}, Household: uuid.UUID{8}, Name: "阿依·古丽", Number: "459921196807070027", Division: "459921100202"}, nil)
}

// TestOneRow reads lists of a single person, written in many ways.
func TestOneRow(t *testing.T) {
	for _, c := range []struct{ name, rows, want string }{
		{"plain", "姓名,身份证号\n韦大山," + id, "matched A"},
		{"another heading", "所有人,公民身份号码\n韦大山," + id, "matched A"},
		{"a heading with brackets", "姓名（全称）,证件号码(18位)\n韦大山," + id, "matched A"},
		{"titles above", "某某局清单,\n2026年3月,\n姓名,身份证号\n韦大山," + id, "matched A"},
		{"a total below", "姓名,身份证号\n韦大山," + id + "\n合计,1", "matched A"},
		{"semicolons", "姓名;身份证号\n韦大山;" + id, "matched A"},
		{"tabs below a title with commas", "某某局,清单,虚构\n姓名\t身份证号\t备注\n韦大山\t" + id + "\t", "matched A"},
		{"tabs", "姓名\t身份证号\n韦大山\t" + id, "matched A"},
		{"an apostrophe and spaces", "姓名,身份证号\n韦 大山,' " + id[:6] + " " + id[6:], "matched A"},
		{"full width", "姓名,身份证号\n韦大山,４５９９２１１９５２０３１５００１３", "matched A"},
		{"small x", "姓名,身份证号\n某人,45992119770815019x", "unmatched"},
		{"another dot in the name", "姓名,身份证号\n阿依•古丽,459921196807070027", "matched A"},
		{"another name", "姓名,身份证号\n韦小山," + id, "matched B"},
		{"fifteen digits and the name", "姓名,身份证号\n韦大山,459921520315001", "matched C"},
		{"fifteen digits, another name", "姓名,身份证号\n韦小山,459921520315001", "unmatched"},
		{"nobody", "姓名,身份证号\n某人,459921200002290048", "unmatched"},
		{"scientific notation", "姓名,身份证号\n韦大山,4.59921E+17", "rejected id.damaged"},
		{"trailing zeros", "姓名,身份证号\n韦大山,459921195203150000", "rejected"},
		{"the letter O", "姓名,身份证号\n韦大山,4599211952O3150013", "rejected id.letter_o"},
		{"too short", "姓名,身份证号\n韦大山,45992119520315001", "rejected id.bad_length"},
		{"no such day", "姓名,身份证号\n韦大山,459921199002290018", "rejected id.bad_birth"},
		{"wrong check", "姓名,身份证号\n韦大山,459921195203150014", "rejected id.bad_check"},
		{"blank number", "姓名,身份证号\n韦大山,", "rejected id.empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, encode := range []struct {
				name string
				f    func(string) []byte
			}{
				{"utf-8", func(s string) []byte { return []byte(s) }},
				{"utf-8 bom", func(s string) []byte { return []byte("\ufeff" + s) }},
				{"gb18030", func(s string) []byte {
					b, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(s))
					require.NoError(t, err)
					return b
				}},
				{"utf-16 without its mark", func(s string) []byte {
					b, err := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder().Bytes([]byte("list of persons\n" + s))
					require.NoError(t, err)
					return b
				}},
				{"utf-16", func(s string) []byte {
					b, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes([]byte(s))
					require.NoError(t, err)
					return b
				}},
			} {
				res, err := compare.Compare(kinds(t), plain, compare.FromBytes("list.csv", encode.f(c.rows)), people, today, nil, compare.About{})
				require.NoError(t, err, encode.name)
				require.Equal(t, 1, res.Read, encode.name)
				require.True(t, strings.HasPrefix(outcome(res), c.want), "%s: %s, want %s", encode.name, outcome(res), c.want)
			}
		})
	}
}

func outcome(r *compare.Report) string {
	switch {
	case r.Matched == 1:
		for level := range r.Levels {
			return "matched " + string(level)
		}
	case r.Unmatched == 1:
		return "unmatched"
	}
	return strings.TrimSpace("rejected " + r.Rejected[0].Why + " " + string(r.Rejected[0].Level))
}

func TestANumericCellIsDamagedAndOnlyAHint(t *testing.T) {
	f := excelize.NewFile()
	require.NoError(t, f.SetSheetRow("Sheet1", "A1", &[]any{"姓名", "身份证号"}))
	require.NoError(t, f.SetSheetRow("Sheet1", "A2", &[]any{"韦大山", 459921195203150013.0}))
	var b bytes.Buffer
	require.NoError(t, f.Write(&b))
	res, err := compare.Compare(kinds(t), plain, compare.FromBytes("x.xlsx", b.Bytes()), people, today, nil, compare.About{})
	require.NoError(t, err)
	require.Zero(t, res.Matched)
	require.Len(t, res.Rejected, 1)
	require.Equal(t, uuid.UUID{1}.String(), res.Rejected[0].Candidate, "the first fifteen digits and the name agree")
}

func TestListsThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		name, file string
		data       []byte
		code       string
	}{
		{"no identity column", "a.csv", []byte("姓名,车牌\n韦大山,桂F12345\n"), "list.no_id_column"},
		{"empty", "a.csv", []byte(" \n"), "list.empty"},
		{"a torn old workbook", "a.xls", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "list.no_workbook"},
		{"no workbook", "a.xlsx", []byte("PK\x03\x04 nothing"), "list.no_workbook"},
		{"a picture", "a.csv", []byte{0x89, 'P', 'N', 'G', 0, 0, 0, 1, 0, 0, 0}, "list."},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := compare.Compare(kinds(t), plain, compare.FromBytes(c.file, c.data), people, today, nil, compare.About{})
			var why *compare.ListError
			require.ErrorAs(t, err, &why)
			require.True(t, strings.HasPrefix(why.Code(), c.code), why.Code())
		})
	}
}

func FuzzLists(f *testing.F) {
	for _, l := range yunqi.New(1, 24).Lists() {
		f.Add(l.File, l.Data)
	}
	f.Add("a.csv", []byte("姓名,身份证号\n,\n"))
	k := kinds(f)
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		// Read = Matched + Unmatched + Rejected is checked, by a panic, inside.
		_, _ = compare.Compare(k, k.Source("wages"), compare.FromBytes(name, data), people, today, nil, compare.About{})
	})
}
