// Command ironfeetd is the county server and every job that is done from a
// command line: setting up a county, publishing forms and standards, comparing
// department lists, exporting and verifying records, and the demonstration.
//
// It builds without cgo. Exit status: 0 success, 1 the input or the work is at
// fault (explained on stderr), 2 wrong usage.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"ironfeet/app/words"
)

// Output is where a command writes: results on Out, everything else on Err.
type Output struct {
	Out, Err io.Writer
	Lang     string // "zh" or "en": the language of sentences
}

// errFaulty means the input is at fault and the command has already said why:
// the exit status is 1 and nothing more is printed.
var errFaulty = errors.New("the input is at fault")

type commands struct {
	Lang string `help:"Language of messages: zh or en." default:"${lang}" enum:"zh,en" env:"IRONFEET_LANG"`

	Demo          DemoCmd          `cmd:"" help:"Run the main job from end to end on the fictitious Yunqi County."`
	Init          InitCmd          `cmd:"" help:"Set up a county's data folder and its root key."`
	Serve         ServeCmd         `cmd:"" help:"Serve a county's data folder to its tablets and townships."`
	User          UserCmd          `cmd:"" help:"Who signs in at the web console."`
	Root          RootCmd          `cmd:"" help:"The county's root key: its fingerprint, and another one in its place."`
	Person        PersonCmd        `cmd:"" help:"The people who work with the county's data."`
	Node          NodeCmd          `cmd:"" help:"Tablets and township computers."`
	Form          FormCmd          `cmd:"" help:"Check, fill and publish survey forms (XLSForm)."`
	Standards     StandardsCmd     `cmd:"" help:"Check, try and publish the county's assistance standards."`
	Compare       CompareCmd       `cmd:"" help:"Compare a department's list with the registry (大数据比对)."`
	Alert         AlertCmd         `cmd:"" help:"What the county is told to look at: confirm, make tasks, close, feed back."`
	Determination DeterminationCmd `cmd:"" help:"Who receives what: suggestions, decisions by a named person, how they stand."`
	Need          NeedCmd          `cmd:"" help:"What families need: refer to departments, take answers in (因需推送)."`
	Household     HouseholdCmd     `cmd:"" help:"One household's assistance chain."`
	Calendar      CalendarCmd      `cmd:"" help:"Working days with holidays and make-up days, and the deadlines counted in them."`
	Bundle        BundleCmd        `cmd:"" help:"Look into, verify and import change bundles and carrier files."`
	Export        ExportCmd        `cmd:"" help:"Export verified records."`
	Verify        VerifyCmd        `cmd:"" help:"Verify an evidence package with nothing but the file and the county's public key."`
	Status        StatusCmd        `cmd:"" help:"Say what a data folder holds and what is waiting."`
	Doctor        DoctorCmd        `cmd:"" help:"Check every invariant of a data folder; rebuild its state on request."`
	Purge         PurgeCmd         `cmd:"" help:"Remove what need not be kept any longer, with a certificate."`
	Config        kong.ConfigFlag  `help:"A TOML file with values for flags; /etc/ironfeet/ironfeetd.toml is read if it is there." placeholder:"FILE"`
	Drill         DrillCmd         `cmd:"" name:"restore-drill" help:"Restore a backup into a folder that is thrown away, and check it."`

	Backup      BackupCmd      `cmd:"" help:"Write everything that a data folder holds into one encrypted file."`
	Restore     RestoreCmd     `cmd:"" help:"Make a data folder of a backup, as a new node."`
	RecoveryKey RecoveryKeyCmd `cmd:"" help:"Make the key that opens backups when the machine is gone."`
	Recover     RecoverCmd     `cmd:"" help:"Answer a machine whose PIN was forgotten."`
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run parses and runs one command line and returns the exit status.
func run(args []string, out, errw io.Writer) (status int) {
	var cli commands
	usage := -1
	parser, err := kong.New(&cli,
		kong.Name("ironfeetd"),
		kong.Description("Ironfeet 铁脚板: household visits without signal, merged, reviewed and provable.\n\nTry it: ironfeetd demo --dir demo-data"),
		kong.Configuration(readConfig, configFile),
		kong.Vars{"lang": systemLanguage()},
		kong.Writers(out, errw),
		kong.Exit(func(code int) { usage = code; panic(kongExit{}) }),
		kong.UsageOnError(),
	)
	o := &Output{Out: out, Err: errw, Lang: languageOf(args)}
	if err != nil { // the configuration file that is read without being asked for
		explain(o, misused(err))
		return 2
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(kongExit); !ok {
				panic(r)
			}
			status = usage
		}
	}()
	kctx, err := parser.Parse(expressionArgs(args))
	if err != nil {
		explain(o, misused(err))
		return 2
	}
	o.Lang = cli.Lang
	if err := kctx.Run(o); err != nil {
		if !errors.Is(err, errFaulty) {
			explain(o, err)
		}
		return 1
	}
	return 0
}

type kongExit struct{}

// A UsageError is a command line that cannot be understood.
type UsageError struct{ Text string }

func (e *UsageError) Error() string { return e.Text }

// Code is the key of the sentence.
func (e *UsageError) Code() string { return "usage.wrong" }

// misused says what stands against a command line: our own word where it is ours,
// kong's otherwise.
func misused(err error) error {
	var coded words.Coded
	var file *fs.PathError
	switch {
	case errors.As(err, &coded):
		return coded
	case errors.As(err, &file) && errors.Is(err, fs.ErrNotExist):
		return &FileError{File: file.Path, Why: "missing", Err: err}
	case errors.As(err, &file):
		return &FileError{File: file.Path, Why: "unreadable", Err: err}
	}
	return &UsageError{err.Error()}
}

// languageOf is the language of a command line that may not be understood: what --lang
// says, else the system's.
func languageOf(args []string) string {
	for i, a := range args {
		value, is := strings.CutPrefix(a, "--lang=")
		if a == "--lang" && i+1 < len(args) {
			value, is = args[i+1], true
		}
		if is && (value == "zh" || value == "en") {
			return value
		}
	}
	if lang := os.Getenv("IRONFEET_LANG"); lang == "zh" || lang == "en" {
		return lang
	}
	return systemLanguage()
}

// explain prints an error as a sentence and, where one is known, what to do next.
func explain(o *Output, err error) {
	said, hint := words.In(o.Lang).Error(err)
	fmt.Fprintln(o.Err, "error:", said)
	if hint != "" {
		fmt.Fprintln(o.Err, "hint:", hint)
	}
}

func systemLanguage() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				return "zh"
			}
			return "en"
		}
	}
	return "en"
}
