package forms

// A Node is what a screen shows of one place of an entry: a question, a group, a
// repeat, or one instance of a repeat. It is a copy; nothing changes under it.
type Node struct {
	Path       string // instance path: /data/members[2]/age
	Name       string
	Type       string // canonical XLSForm type; "group", "repeat", "instance"
	Appearance string

	Label, Hint, Guidance string // in the entry's language, ${} filled in
	Value                 string // as it was given; what does not fit the type is kept, and Valid is false
	Last                  string // the value of last time, to be confirmed; never an answer
	Code                  string // why Valid is false: "answer.required", "answer.type", "answer.constraint", "answer.choice"
	Message               string // the author's message for it, or a plain English one
	RepeatLabel           string // of an instance: its label with its number and first answer

	Relevant, Required, ReadOnly, Valid bool
	Calculated                          bool // the form answers it: calculate, hidden, metadata
	Group, Repeat                       bool // Group: group or instance; Repeat: the repeat itself
	CanAdd                              bool // of a repeat: instances are added by hand, not counted by an expression
	Depth                               int  // 1 for the top level

	Choices    []Choice
	Parameters map[string]string
	Image      string // media of the label, in the entry's language
	Audio      string
	Video      string
}

// A Choice as it is offered.
type Choice struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Image string `json:"image,omitempty"`
}

// A Problem is why an entry is not ready.
type Problem struct{ Path, Code, Message string }

// Proposed is one registry field the entry would set (save_to).
type Proposed struct {
	List       string // entity list: household, member
	EntityPath string // "" for the household, /data/members[2] for what stands in a repeat
	EntityID   string // the entity's id as the form has it, or ""
	Property   string
	Value      string
	Path       string // the question it comes from
}
