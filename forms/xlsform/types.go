package xlsform

import (
	"maps"
	"slices"
	"strings"
)

// typeNames are the question types by every spelling in use, folded, with spaces
// and hyphens as underscores.
var typeNames = spellings(`
	text: string note_text textarea
	integer: int
	decimal: float number
	range:
	note:
	date:
	time:
	dateTime: datetime date_time
	select_one: select1 select_1 select
	select_multiple: select_all_that_apply select_many selectmultiple select_all
	rank: odk:rank
	image: photo picture
	audio:
	video:
	file:
	barcode:
	geopoint: gps location
	geotrace:
	geoshape:
	acknowledge: trigger
	calculate: calculate_here calculation
	hidden: hidden_string hidden_int hidden_geopoint
	start: start_time
	end: end_time
	today:
	deviceid: imei device_id get_device_id
	subscriberid: subscriber_id get_subscriber_id
	simserial: sim_id get_sim_id
	phonenumber: phone_number get_phone_number
	username:
	email:
	audit:
	start-geopoint: start_geopoint
	xml-external: xml_external
	csv-external: csv_external
	background-audio: background_audio
	background-geopoint: background_geopoint
	osm:
	caseid:
`)

// Types lists the question types, sorted.
func Types() []string {
	names := slices.Collect(maps.Values(typeNames))
	slices.Sort(names)
	return slices.Compact(names)
}

func spellings(list string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(list) {
		name, others, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		m[plainType(name)] = name
		for _, s := range strings.Fields(others) {
			m[s] = name
		}
	}
	return m
}

func plainType(s string) string {
	return strings.NewReplacer("-", "_").Replace(strings.Join(strings.Fields(fold(s)), "_"))
}

// metadata are types that the device answers without being seen.
var metadata = map[string]bool{
	"start": true, "end": true, "today": true, "deviceid": true, "subscriberid": true, "simserial": true,
	"phonenumber": true, "username": true, "email": true, "audit": true, "start-geopoint": true, "caseid": true,
	"xml-external": true, "csv-external": true, "background-audio": true, "background-geopoint": true,
}

// Silent says whether a type is answered by the form or the device and not by
// the person.
func Silent(canonical string) bool {
	return metadata[canonical] || canonical == "calculate" || canonical == "hidden"
}

// unsupported types are asked as text, with a note.
var unsupported = map[string]bool{"osm": true, "background-audio": true, "background-geopoint": true, "audit": true}

// A typed is a cell of the type column as it was understood.
type typed struct {
	begin, end bool
	kind       Kind   // of begin and end
	name       string // canonical
	list       string
	file       bool
	external   bool
	orOther    bool
	known      bool
	loop       bool
	foreign    bool // another platform's metadata: kept, never asked
}

// readType understands a type: select_one yes_no or_other, begin repeat, select
// one from towns.csv.
func readType(written string) typed {
	fields := strings.Fields(written)
	if len(fields) == 0 {
		return typed{}
	}
	lower := make([]string, len(fields))
	for i, f := range fields {
		lower[i] = strings.ToLower(f)
	}
	first := strings.ReplaceAll(strings.ReplaceAll(lower[0], "-", "_"), "__", "_")
	if first == "begin" || first == "end" {
		if len(fields) > 1 {
			first += "_" + strings.Join(lower[1:], "_")
		} else if first == "end" {
			return typed{name: "end", known: true} // metadata
		}
	}
	if rest, ok := strings.CutPrefix(first, "begin_loop"); ok { // begin loop over a_list
		list := strings.TrimPrefix(strings.TrimPrefix(rest, "_"), "over")
		if list == "" || len(fields) > 3 {
			return typed{begin: true, kind: Group, known: true, loop: true, name: "loop", list: fields[len(fields)-1]}
		}
	}
	if rest, ok := strings.CutPrefix(first, "begin_"); ok {
		if k, loop, ok := kindOf(rest); ok {
			return typed{begin: true, kind: k, known: true, loop: loop, name: rest}
		}
	}
	if rest, ok := strings.CutPrefix(first, "end_"); ok {
		if k, loop, ok := kindOf(rest); ok {
			return typed{end: true, kind: k, known: true, loop: loop, name: rest}
		}
	}
	t := typed{}
	if n := len(lower); n > 1 && (lower[n-1] == "or_other" || n > 2 && lower[n-2] == "or" && lower[n-1] == "other" || n > 2 && lower[n-2] == "or" && lower[n-1] == "specify") {
		t.orOther = true
		if lower[n-1] != "or_other" {
			n--
		}
		fields, lower = fields[:n-1], lower[:n-1]
	}
	// The longest run of words that is a type; what follows is the list.
	for n := min(len(lower), 5); n > 0; n-- {
		key := plainType(strings.Join(lower[:n], " "))
		base := key
		for _, s := range []string{"_from_file", "_from", "_external"} {
			if b, ok := strings.CutSuffix(key, s); ok {
				base = b
				t.file = s == "_from_file"
				t.external = s == "_external"
				break
			}
		}
		name, ok := typeNames[base]
		if !ok {
			t.file, t.external = false, false
			continue
		}
		choice := name == "select_one" || name == "select_multiple" || name == "rank"
		if (t.file || t.external || base != key) && !choice {
			t.file, t.external = false, false
			continue
		}
		t.name, t.known = name, true
		rest := fields[n:]
		if choice {
			if len(rest) > 0 && strings.EqualFold(rest[0], "from") {
				rest = rest[1:]
			}
			if len(rest) > 0 {
				t.list = rest[0]
			}
			for _, ext := range []string{".csv", ".xml", ".geojson"} {
				if strings.HasSuffix(strings.ToLower(t.list), ext) {
					t.file = true
				}
			}
		}
		return t
	}
	for _, s := range []string{"comments", "speed_violations", "sensor_statistic", "sensor_stream", "audio_audit", "text_audit"} {
		if strings.HasPrefix(plainType(written), s) {
			return typed{name: "hidden", known: true, foreign: true}
		}
	}
	return t
}

func kindOf(s string) (k Kind, loop, ok bool) {
	switch s {
	case "group", "lgroup":
		return Group, false, true
	case "repeat":
		return Repeat, false, true
	case "loop", "looped_group":
		return Group, true, true
	}
	return 0, false, false
}

// parameterNames are the parameters that mean something here, by type.
var parameterNames = map[string][]string{
	"range":           {"start", "end", "step", "tick_interval", "placeholder", "tick_labelset"},
	"select_one":      {"randomize", "seed", "value", "label"},
	"select_multiple": {"randomize", "seed", "value", "label"},
	"rank":            {"randomize", "seed"},
	"image":           {"max-pixels", "app"},
	"audio":           {"quality"},
	"geopoint":        {"capture-accuracy", "warning-accuracy", "allow-mock-accuracy"},
	"geotrace":        {"incremental", "allow-mock-accuracy"},
	"geoshape":        {"incremental", "allow-mock-accuracy"},
	"text":            {"rows"},
	"audit":           {"location-priority", "location-min-interval", "location-max-age", "track-changes", "track-changes-reasons", "identify-user"},
}
