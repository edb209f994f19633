package standards_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ironfeet/forms/standards"
)

const examples = "../../assets/yunqi/households"

// TestTheWorkedExamplesAsRecords decides the records of assets/yunqi/households,
// which are the 22 worked examples of domain.md §3.9 with the keys of §4, as
// `standards decide` reads them.
func TestTheWorkedExamplesAsRecords(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash(workbook))
	require.NoError(t, err)
	list, err := os.ReadFile(filepath.Join(filepath.FromSlash(examples), "expected.json"))
	require.NoError(t, err)
	var expected []struct {
		Example, File, On, Category, Amount string
		Persons, Missing                    []string
		Parameters                          map[string]string
		ValidUntil                          string `json:"valid_until"`
		GraceUntil                          string `json:"grace_until"`
	}
	require.NoError(t, json.Unmarshal(list, &expected))
	seen := map[string]bool{}
	for _, c := range expected {
		number, _, _ := strings.Cut(c.Example, ",")
		seen[number] = true
		t.Run(c.Example, func(t *testing.T) {
			changed := string(text)
			for name, value := range c.Parameters {
				row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(name) + ` \| [^|]* \|`)
				require.Len(t, row.FindAllString(changed, -1), 1, name)
				changed = row.ReplaceAllString(changed, "| "+name+" | "+value+" |")
			}
			rs, report := standards.Read("x.md", []byte(changed))
			require.Empty(t, report.Errors)
			data, err := os.ReadFile(filepath.Join(filepath.FromSlash(examples), c.File))
			require.NoError(t, err)
			home, err := standards.ReadHousehold(data)
			require.NoError(t, err)
			on, err := time.Parse(time.DateOnly, c.On)
			require.NoError(t, err)
			d := rs.Decide(home, on)
			require.Equal(t, c.Missing, d.Missing)
			assert.Equal(t, c.Category, d.Category, "%+v", d.Facts)
			assert.Equal(t, c.Amount, d.Yuan)
			assert.Equal(t, c.ValidUntil, d.ValidUntil)
			persons := []string{}
			for _, p := range d.Persons {
				assert.NotEmpty(t, p.Name)
				for _, o := range p.Offers {
					said := strings.TrimSpace(p.Name + " " + o.Offer + " " + o.Amount.String() + " " + o.Level)
					if o.Until != "" {
						said += " until " + o.Until
					}
					assert.Empty(t, o.Missing)
					persons = append(persons, said)
				}
			}
			assert.Equal(t, c.Persons, persons)
			if c.GraceUntil != "" {
				require.NotNil(t, d.Grace)
				assert.Equal(t, c.GraceUntil, d.Grace.Until)
			}
			for _, s := range d.Steps {
				assert.NotEmpty(t, s.Left, s.Text)
				assert.NotEmpty(t, s.Right, s.Text)
			}
			assert.Equal(t, "2026-03", d.Version)

			quick := rs.Outcome(home, on)
			assert.Empty(t, quick.Steps)
			quick.Steps = d.Steps
			for i := range quick.Persons {
				quick.Persons[i].Steps = d.Persons[i].Steps
			}
			assert.Equal(t, d, quick, "the quick way must say the same")
		})
	}
	require.Len(t, seen, 22)
}
