package xlsform

// A Definition is a form as its author wrote it: cleaned, its rows nested, its
// names resolved to canonical types, its texts by language; expressions are still
// text. Compile (package forms) makes it something that can be filled.
type Definition struct {
	Settings  Settings
	Languages []Language // at least one; the first is the default language
	Root      *Item      // a group that holds everything
	Lists     map[string]*List
	External  map[string]*List // of the sheet external_choices, for select_one_external
	Files     map[string]*List // by file name: towns.csv, for pulldata and select_one_from_file
	Entities  []Entity
	Rows      int // rows of the survey sheet that are not blank
}

// A Language of a form. Name is as written in the headings ("中文"), Code what
// stands in brackets ("zh") or "". A form without languages has one, named "".
type Language struct{ Name, Code string }

// Settings of a form. Unused ones are kept in Extra by heading.
type Settings struct {
	ID, Version, Title, Name, DefaultLanguage, InstanceName, Style string
	AllowDuplicates                                                bool
	InstanceNameCell                                               Source // where instance_name stands
	Extra                                                          map[string]string
}

// A Source is the text of one cell and where it stands.
type Source struct {
	Text, Cell, Column string
	Row                int
}

// A Text is said in every language of the form, by index of Definition.Languages.
// A missing one is "". Cells say where each stands.
type Text struct {
	In    []string
	Cells []string
}

// Blank says whether the text is missing in every language.
func (t Text) Blank() bool {
	for _, s := range t.In {
		if s != "" {
			return false
		}
	}
	return true
}

// Kind says what an item of a form is in the tree.
type Kind uint8

// Kinds of items.
const (
	Question Kind = iota
	Group
	Repeat
)

// An Item is one row of the survey sheet: a question, or a group or repeat with
// its children.
type Item struct {
	Kind     Kind
	Row      int
	NameCell string
	TypeCell string
	Name     string
	Type     string // canonical: "integer", "select_one", …; "group", "repeat"
	Written  string // the type as the author wrote it
	List     string // choice list, or "" ; for …_from_file the file's name
	File     bool   // List names a file
	OrOther  bool   // this question was made by or_other: the text that goes with the choice "other"
	External bool   // select_one_external: its list is one of Definition.External

	Label, Hint, Guidance              Text
	RequiredMessage, ConstraintMessage Text
	Image, BigImage, Audio, Video      Text

	Relevant, Constraint, Required, Calculation, ReadOnly, Default Source
	ChoiceFilter, RepeatCount, Trigger                             Source
	SaveTo                                                         Source
	Was                                                            string // the question's name in an earlier version of the form
	Appearance, AppearanceCell                                     string
	Parameters                                                     map[string]string
	ParametersCell                                                 string
	Extra                                                          map[string]string // bind::*, body::*, instance::*, rows, …

	Children []*Item
}

// A List is a choice list or a file: rows with a name, labels and further
// columns that filters may use.
type List struct {
	Name    string
	Columns []string // further columns, in the order of the sheet
	Choices []Choice
	ValueAt int // in a file: index in Columns of the column that is the value
	LabelAt int // in a file: index in Columns of the column that is the label
	Row     int
}

// A Choice of a list. Values are those of List.Columns.
type Choice struct {
	Name   string
	Label  Text
	Image  Text
	Values []string
	Row    int
	Cell   string // where the name stands
}

// An Entity declares that the form makes or updates something in a registry (ODK
// Entities).
type Entity struct {
	List                      string
	ID, Label, Create, Update Source
	Row                       int
	Repeat                    string // name of the repeat it stands in, or ""
}
