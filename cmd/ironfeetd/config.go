package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"

	"ironfeet/forms/xlsform"
)

// configFile is read if it is there; --config names another.
const configFile = "/etc/ironfeet/ironfeetd.toml"

// The one configuration file is TOML: what stands at the top holds for every
// command that has such a flag, what stands under a command's name for that one.
// A flag on the command line wins. A name that no command knows is an error, since
// a mistyped backup folder must not pass in silence.
//
//	data = "/var/lib/ironfeet"
//
//	[serve]
//	listen = "0.0.0.0:443"
//	backup-dir = "/mnt/backup"
type config struct {
	values map[string]any
}

const maxConfig = 1 << 20

// readConfig is kong's loader.
func readConfig(r io.Reader) (kong.Resolver, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfig {
		return nil, &ConfigError{Why: "large"}
	}
	c := &config{values: map[string]any{}}
	if err := toml.Unmarshal(text, &c.values); err != nil {
		return nil, &ConfigError{Why: "toml", Name: err.Error()}
	}
	return c, nil
}

// A ConfigError says what is wrong with the configuration file.
type ConfigError struct {
	Why, Name, Near string // large, toml, unknown, value
}

func (e *ConfigError) Error() string {
	switch e.Why {
	case "large":
		return "the configuration file is larger than 1 MB"
	case "toml":
		return "the configuration file: " + e.Name
	case "value":
		return "the configuration file: " + e.Name + " is neither text, number, truth nor a list of them"
	}
	s := fmt.Sprintf("the configuration file: no command knows %q", e.Name)
	if e.Near != "" {
		s += "; nearest is " + e.Near
	}
	return s
}

// Code is the key of the sentence.
func (e *ConfigError) Code() string { return "config." + e.Why }

// Validate looks for names that no command knows.
func (c *config) Validate(app *kong.Application) error {
	top := map[string]bool{}
	commands := map[string]map[string]bool{}
	var walk func(n *kong.Node, path string)
	walk = func(n *kong.Node, path string) {
		own := map[string]bool{}
		for _, f := range n.Flags {
			own[f.Name], top[f.Name] = true, true
		}
		if path != "" {
			commands[path] = own
		}
		for _, child := range n.Children {
			walk(child, strings.TrimPrefix(path+"."+child.Name, "."))
		}
	}
	walk(app.Node, "")
	var check func(values map[string]any, path string) error
	check = func(values map[string]any, path string) error {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			full := strings.TrimPrefix(path+"."+name, ".")
			if table, ok := values[name].(map[string]any); ok {
				if commands[full] == nil {
					return &ConfigError{Why: "unknown", Name: "[" + full + "]", Near: xlsform.Nearest(full, slices.Sorted(maps.Keys(commands)))}
				}
				if err := check(table, full); err != nil {
					return err
				}
				continue
			}
			known := top
			if path != "" {
				known = commands[path]
			}
			if !known[name] {
				return &ConfigError{Why: "unknown", Name: full, Near: xlsform.Nearest(name, slices.Sorted(maps.Keys(known)))}
			}
			if _, err := text(full, values[name]); err != nil {
				return err
			}
		}
		return nil
	}
	return check(c.values, "")
}

// Resolve gives a flag its value: under the command's own name first.
func (c *config) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	values := c.values
	var path []string
	for n := parent.Node(); n != nil && n.Type != kong.ApplicationNode; n = n.Parent {
		path = append([]string{n.Name}, path...)
	}
	found, ok := c.values[flag.Name]
	for _, name := range path {
		table, is := values[name].(map[string]any)
		if !is {
			break
		}
		values = table
		if v, has := table[flag.Name]; has {
			found, ok = v, true
		}
	}
	if _, table := found.(map[string]any); !ok || table {
		return nil, nil
	}
	return text(flag.Name, found)
}

// text is a value as it would stand on the command line.
func text(name string, v any) (any, error) {
	switch v := v.(type) {
	case string, int64, bool, float64:
		return fmt.Sprint(v), nil
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			s, err := text(name, x)
			if err != nil {
				return nil, err
			}
			parts[i] = fmt.Sprint(s)
		}
		return strings.Join(parts, ","), nil
	}
	return nil, &ConfigError{Why: "value", Name: name}
}
