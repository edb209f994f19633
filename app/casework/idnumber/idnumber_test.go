package idnumber_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/idnumber"
)

var today = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// The table of domain.md §4; region 459921 is not assigned.
func TestNumbersAsPeopleWriteThem(t *testing.T) {
	for _, test := range []struct {
		name, text string
		class      idnumber.Class
		normal     string
	}{
		{"a man of 1952", "459921195203150013", idnumber.Valid, "459921195203150013"},
		{"a woman of 1968", "459921196807070027", idnumber.Valid, "459921196807070027"},
		{"a leap day", "459921200002290048", idnumber.Valid, "459921200002290048"},
		{"a child", "459921201510080033", idnumber.Valid, "459921201510080033"},
		{"a small x", "45992119770815019x", idnumber.Valid, "45992119770815019X"},
		{"full-width digits", "４５９９２１１９６８０７０７００２７", idnumber.Valid, "459921196807070027"},
		{"apostrophe, tab, BOM, no-break space", "\ufeff'459921 196807\u00a0070027\t", idnumber.Valid, "459921196807070027"},
		{"fifteen digits", "459921450620004", idnumber.Old, "459921194506200044"},
		{"wrong check digit", "459921195203150014", idnumber.BadCheck, "459921195203150014"},
		{"a day that never was", "459921199002290018", idnumber.BadBirth, "459921199002290018"},
		{"a birth in the future", "459921209901010012", idnumber.BadBirth, "459921209901010012"},
		{"passes by accident", "459921196807070000", idnumber.Suspect, "459921196807070000"},
		{"cut to fifteen digits by a spreadsheet", "459921195203150000", idnumber.Damaged, "459921195203150000"},
		{"scientific notation", "4.59921E+17", idnumber.Damaged, "4.59921E+17"},
		{"seventeen characters", "45992119520315001", idnumber.BadLength, "45992119520315001"},
		{"letter O", "45992119520315OO13", idnumber.LetterO, "45992119520315OO13"},
		{"nothing", "  ", idnumber.Empty, ""},
		{"words", "无证件", idnumber.BadSymbols, "无证件"},
		{"an X in the middle", "45992119X203150013", idnumber.BadSymbols, "45992119X203150013"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := idnumber.Parse(test.text, today)
			require.Equal(t, test.class, n.Class)
			require.Equal(t, test.normal, n.Text)
		})
	}
}

func TestANumericCellIsNeverAKey(t *testing.T) {
	for _, text := range []string{"459921195203150013", "459921196807070016", "4.59921196807070E+17", "459921450620004"} {
		require.Equal(t, idnumber.Damaged, idnumber.FromNumber(text, today).Class, text)
	}
	require.Equal(t, "459921196807070", idnumber.FromNumber("459921196807070016", today).Prefix())
}

func TestSexBirthAndTheRightCheckCharacter(t *testing.T) {
	n := idnumber.Parse("459921195203150013", today)
	require.True(t, n.Male)
	require.Equal(t, "1952-03-15", n.Birth.Format(time.DateOnly))
	require.Equal(t, byte('3'), idnumber.Parse("459921195203150014", today).Expect)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "459921195203150013", "４５９９２１", "4.5E+17", "X", "45992119770815019x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := idnumber.Parse(s, today)
		if n.Key() && len(n.Text) != 18 {
			t.Fatalf("%q is a key of %d characters", s, len(n.Text))
		}
		idnumber.FromNumber(s, today)
	})
}
