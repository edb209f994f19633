// Command ironfeet is the app for tablets, township computers and desktops.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"fyne.io/fyne/v2/app"

	"ironfeet/app/desktop"
	"ironfeet/store/world"
)

func main() {
	home, err := os.UserConfigDir()
	if err != nil {
		home = "."
	}
	var o desktop.Options
	flag.StringVar(&o.Dir, "data", filepath.Join(home, "ironfeet"), "data folder of this machine")
	flag.BoolVar(&o.Demo, "demo", false, "practice: show the practice PIN and offer painted photos")
	flag.StringVar(&o.Lang, "lang", "zh", "language of the screens: zh or en")
	size := flag.Float64("text-size", 18, "size of ordinary text, 14 to 32")
	flag.Parse()
	if flag.NArg() > 0 || o.Lang != "zh" && o.Lang != "en" {
		fmt.Fprintln(os.Stderr, "usage: ironfeet [--data DIR] [--demo] [--lang zh|en] [--text-size 18]")
		os.Exit(2)
	}
	o.TextSize = float32(*size)
	o.World = world.Real()
	desktop.New(app.NewWithID("county.ironfeet"), o).Run()
}
