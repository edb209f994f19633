// Command ironfeet is the app for tablets, township computers and desktops.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"

	"ironfeet/app/desktop"
	"ironfeet/app/desktop/look"
	"ironfeet/store/keyring"
	"ironfeet/store/world"
)

// version is set by make dist.
var version = "development"

const usage = `usage: ironfeet [--data DIR] [--demo] [--lang zh|en] [--text-size 18..28] [--light light|daylight|dark]
       ironfeet --version

What is not given comes from the settings of the data folder.
`

func main() {
	var o desktop.Options
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flag.StringVar(&o.Dir, "data", "", "data folder of this machine")
	flag.BoolVar(&o.Demo, "demo", false, "practice: show the practice PIN and offer painted photos")
	flag.StringVar(&o.Lang, "lang", "", "language of the screens: zh or en")
	light := flag.String("light", "", "light, daylight or dark")
	size := flag.Float64("text-size", 0, "size of ordinary text, 18 to 28")
	flag.StringVar(&o.Describe, "describe", "", "file to describe the screen in, for tests that drive the program from outside")
	asked := flag.Bool("version", false, "print the version and end")
	flag.Parse()
	o.Mode, o.TextSize = look.Mode(*light), float32(*size)
	if flag.NArg() > 0 || !slices.Contains([]string{"", "zh", "en"}, o.Lang) || o.Mode != "" && !slices.Contains(look.Modes, o.Mode) ||
		*size != 0 && (*size < look.TextLeast || *size > look.TextMost) {
		flag.Usage()
		os.Exit(2)
	}
	if *asked {
		fmt.Println("ironfeet", version)
		return
	}
	a := app.NewWithID("county.ironfeet")
	if o.Dir == "" {
		o.Dir = dataFolder(a)
	}
	o.World = world.Real()
	o.World.Keyring = keyring.System()
	o.Keep = true
	desktop.New(a, o).Run()
}

// dataFolder is where this person's data lies if nothing is said: on a tablet the
// app's own storage, which no other app can read; elsewhere beside the settings of
// other programs.
func dataFolder(a fyne.App) string {
	if fyne.CurrentDevice().IsMobile() {
		return filepath.Join(a.Storage().RootURI().Path(), "ironfeet")
	}
	home, err := os.UserConfigDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, "ironfeet")
}
