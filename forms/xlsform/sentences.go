package xlsform

import "strings"

// sentence is what a code says in English, and what to do next. {got}, {near},
// {other} and {column} stand for the problem's parts; ~near~ is added when a
// nearest name is known.
type sentence struct{ message, hint string }

// problem fills in a problem's English from its code.
func problem(p Problem) Problem {
	s, ok := sentences[p.Code]
	if !ok {
		panic("no sentence for " + p.Code)
	}
	fill := strings.NewReplacer("{got}", clip(p.Got), "{near}", clip(p.Near), "{other}", clip(p.Other), "{column}", p.Column)
	p.Message, p.Hint = fill.Replace(s.message), fill.Replace(s.hint)
	if p.Near != "" && !strings.Contains(s.message+s.hint, "{near}") {
		p.Message += "; nearest is “" + clip(p.Near) + "”"
	}
	return p
}

// Explain fills in a problem's English sentence from its code: for rooms above
// that find problems of their own in a definition, with the codes listed here.
func Explain(p Problem) Problem {
	if _, ok := sentences[p.Code]; !ok {
		return p
	}
	return problem(p)
}

// clip keeps a quoted value readable: a cell may hold a page of text.
func clip(s string) string {
	const most = 120
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i] + "…"
		}
	}
	return s
}

// Codes lists every code a report may hold, for the test that compares them with
// the translation files.
func Codes() []string {
	codes := make([]string, 0, len(sentences))
	for code := range sentences {
		codes = append(codes, code)
	}
	return codes
}

var sentences = map[string]sentence{
	// the file
	"form.empty_file":          {"the file is empty", "choose the form's .xlsx or .md file again"},
	"form.old_excel":           {"this is a workbook of the old format (.xls)", "open it in Excel or WPS, choose “Save as”, “Excel Workbook (.xlsx)”, and use the new file"},
	"form.password":            {"the workbook is protected with a password", "open it, remove the password under File, Info, Protect Workbook, save it and try again"},
	"form.not_excel":           {"the file is named .xlsx but is not a workbook: it begins with “{got}”", "if it is a CSV or text file, open it in Excel or WPS and save it as .xlsx"},
	"form.damaged":             {"the workbook is damaged: {got}", "open it in Excel or WPS, let it be repaired, and save it again"},
	"form.too_large":           {"the file is larger than {got}", "remove pictures and sheets that are not needed"},
	"form.expands":             {"unpacked, the workbook is larger than {got}", "remove pictures and sheets that are not needed; a workbook that grows like this may be hostile"},
	"form.unknown_file":        {"“{got}” is not a kind of file that holds a form", "use .xlsx, .md, or a folder of CSV files"},
	"form.too_many_rows":       {"more than {got} rows", "split the form, or keep long lists in a CSV file beside it"},
	"form.too_many_columns":    {"more than {got} columns; the rest is not read", "delete the columns that are not needed"},
	"form.cell_too_long":       {"the cell holds more than {got} bytes", "shorten it"},
	"form.macros":              {"the workbook holds macros; they are not run", "save it as .xlsx to be rid of them"},
	"form.bad_csv":             {"the CSV cannot be read: {got}", "save it again from Excel or WPS as “CSV UTF-8”"},
	"form.markdown_loose":      {"a table row stands before any sheet's name", "begin a sheet with a heading (## survey) or with a row that names it (| survey |)"},
	"form.no_survey":           {"there is no sheet named “survey”", "name the sheet that holds the questions “survey”"},
	"form.no_questions":        {"the survey sheet has no questions", "add at least one row with a type and a name"},
	"form.no_column":           {"the sheet has no column “{got}”", "the first row of the sheet must hold the column headings"},
	"form.extra_sheets":        {"not read: the sheets {got}", "nothing to do if they are notes"},
	"form.sheet_name":          {"the sheet “{got}” is not read", "if it is meant to be “{near}”, rename it"},
	"form.more_problems":       {"{got} more problems are not listed", "mend these first and check again"},
	"form.sheet_twice":         {"two sheets are named “{got}”; the second is not read", "delete one of them"},
	"form.hidden_sheet":        {"the sheet is hidden; it was read", ""},
	"form.declared_rows":       {"the sheet claims {got} rows, nearly all blank; the blank ones were passed over", "delete the blank rows below the table to make the file small"},
	"form.blank_rows":          {"{got} blank rows inside the table were passed over", ""},
	"form.numbers":             {"{got} cells are numbers, not text; they were read as written", "format code columns as text, so that 007 stays 007"},
	"form.booleans":            {"{got} cells are TRUE or FALSE", ""},
	"form.formulas":            {"{got} cells are formulas; the values they had when the file was saved were read", ""},
	"form.formula_no_value":    {"the formula has no saved value", "open the file in Excel or WPS, save it and try again, or replace the formula by its value"},
	"form.cell_error":          {"the cell holds the spreadsheet error {got}", "mend the formula, or write the value itself"},
	"form.merged":              {"merged cells ({got}): only the first of them has a value", "unmerge them and fill in every row"},
	"form.nbsp":                {"{got} cells hold no-break spaces; they were read as spaces", ""},
	"form.zero_width":          {"{got} cells hold invisible characters; they were removed", ""},
	"form.quotes":              {"{got} expressions hold typographic quotes; they were read as plain ones", "switch off “smart quotes” in the spreadsheet"},
	"form.entity_text":         {"{got} expressions hold &gt; &lt; or &amp;; they were read as > < and &", ""},
	"form.wide_signs":          {"{got} expressions hold full-width signs such as （ ＞ ＝; they were read as plain ones", "write expressions with the input method switched to English"},
	"form.column_without_head": {"the column has values but no heading; it is not read", "give it a heading or empty it"},
	"form.column_twice":        {"the heading “{got}” stands twice; the second column is not read", "delete one of the two columns"},
	"form.unknown_column":      {"the column “{got}” is not known and not used", ""},

	// survey
	"form.no_type":           {"the row has no question type", "write a type, such as text, integer or select_one"},
	"form.no_name":           {"the question has no name", "write a name: letters, digits, _ and -, beginning with a letter"},
	"form.bad_name":          {"“{got}” cannot be a name", "use letters, digits, _ - and ., beginning with a letter or _"},
	"form.name_repaired":     {"the name “{got}” was read as “{near}”", "remove the spaces"},
	"form.reserved_name":     {"the name “{got}” is reserved; the rows are kept as written", "choose another name unless it is meant for the form's own metadata"},
	"form.name_twice":        {"the name “{got}” stands twice in one group; the other is in row {other}", "rename one of the two"},
	"form.name_elsewhere":    {"the name “{got}” is used again in row {other}; ${…} cannot tell them apart", "give every question a name of its own"},
	"form.unknown_type":      {"the question type “{got}” is not known; the question is kept as text", "see the list of types in forms/XLSFORM.md"},
	"form.unsupported_type":  {"the question type “{got}” is not supported here; the question is kept as text with a note", ""},
	"form.foreign_type":      {"“{got}” is recorded by another platform's app and left blank here", ""},
	"form.type_as":           {"the question type “{got}” was read as “{near}”", ""},
	"form.no_list":           {"“{got}” names no choice list", "write the list after the type: select_one yes_no"},
	"form.unknown_list":      {"the choice list “{got}” is not on the choices sheet", "add it, or mend the name"},
	"form.empty_list":        {"the choice list “{got}” has no choices", "add choices"},
	"form.file_missing":      {"the file “{got}” does not lie beside the form; its list is empty", "put it beside the form, or into the workbook as a sheet of that name"},
	"form.file_kind":         {"the file “{got}” is of a kind that holds no list; its list is empty", "convert it to CSV"},
	"form.search":            {"the search in the appearance cannot be used: {got}", "write search('file') or search('file', 'contains', 'column', ${text})"},
	"form.bad_file":          {"the file “{got}” cannot be read whole: {other}", "mend it, or save it again"},
	"form.or_other_filter":   {"or_other with a choice filter: the choice “other” is always offered", ""},
	"form.end_without_begin": {"“{got}” ends nothing that is open", "delete the row, or add the missing “begin”"},
	"form.end_mismatch":      {"“{got}” would end “{other}”", "write the matching “end”"},
	"form.not_ended":         {"“{got}” is never ended", "add an “end” row after its last question"},
	"form.too_deep":          {"groups are nested more than {got} deep", "flatten the form"},
	"form.empty_group":       {"the group “{got}” holds no question", "delete it or fill it"},
	"form.end_name":          {"the end row names “{got}”, but ends “{other}”", "names on end rows are not needed"},
	"form.no_label":          {"the question “{got}” has no label", "write what the worker should ask"},
	"form.no_translation":    {"no text in “{other}”", "the text of “{near}” is shown instead"},
	"form.no_calculation":    {"the calculation is missing", "write an expression in the column calculation"},
	"form.bad_parameter":     {"the parameter “{got}” is not understood", "write name=value pairs, as in: start=1 end=10 step=1"},
	"form.unknown_parameter": {"the parameter “{got}” is not known for this type and not used", ""},
	"form.bad_yes_no":        {"“{got}” is neither yes nor no, nor an expression", "write yes, no or an expression"},
	"form.no_message_for":    {"“{got}” is given, but there is nothing it belongs to", ""},
	"form.not_used":          {"“{got}” is not used here", ""},

	// choices
	"form.choice_no_list":     {"the choice has no list name", "write the list's name"},
	"form.choice_no_name":     {"the choice has no name", "write the value to be stored"},
	"form.choice_space":       {"the choice name “{got}” holds a space, which select_multiple cannot store", "write “{near}”"},
	"form.choice_twice":       {"the choice “{got}” stands twice in list “{other}” and nothing tells them apart", "delete one of the two"},
	"form.choice_twice_extra": {"the choice “{got}” stands twice in list “{other}”; the rows differ in another column", ""},
	"form.choice_no_label":    {"the choice “{got}” has no label; its name is shown", ""},
	"form.list_not_used":      {"the choice list “{got}” is used by no question", ""},

	// settings, entities
	"form.no_id":            {"the form has no form_id; “{got}” is used", "write form_id on the settings sheet"},
	"form.bad_id":           {"“{got}” cannot be a form_id", "use letters, digits, _ - and . only"},
	"form.no_version":       {"the form has no version", "write a version on the settings sheet, such as 2026030101; a changed form needs a new one"},
	"form.language_code":    {"the language “{got}” has no code", "write {near}, so that software knows which language it is"},
	"form.unknown_language": {"default_language is “{got}”, which no column has", "write one of the form's languages"},
	"form.entity_no_list":   {"the entity has no list_name", "write the registry list it belongs to, such as household or member"},
	"form.entity_twice":     {"the entity list “{got}” is declared twice", "delete one of the two rows"},
	"form.save_to_unknown":  {"save_to names the entity list “{got}”, which is not declared", "declare it on the entities sheet"},
	"form.save_to_bad":      {"“{got}” cannot be a property", "write a property name, or list#property"},
	"form.save_to_twice":    {"the property “{got}” is already set by row {other}", "set each property once"},
	"form.save_to_many":     {"several entity lists are declared; “{got}” does not say which", "write list#property"},
	"form.save_to_group":    {"save_to on a group or repeat has no effect", ""},
	"form.save_to_repeat":   {"a property of “{other}” is saved inside a repeat, another outside it", "keep one entity's properties in one repeat"},

	// expressions
	"form.syntax":              {"the expression cannot be read: {got}", ""},
	"form.unknown_function":    {"the function “{got}” is not known", "see the list of functions in forms/XLSFORM.md"},
	"form.foreign_function":    {"the function “{got}” belongs to another platform's app; the expression is not used", ""},
	"form.word_as":             {"“{got}” was read as {near}", "write {near}"},
	"form.text_order":          {"“{got}” is text; {other} compares only numbers and dates, so this never holds", "compare with a number or a date, or use = and !="},
	"form.own_value":           {"the calculation of “{got}” falls back to its own value so far", ""},
	"form.own_relevance":       {"whether “{got}” is asked depends on “{other}”, which is part of it", ""},
	"form.growing_repeat":      {"the repeat “{got}” grows by the answers inside it", ""},
	"form.wrong_arity":         {"{got}", ""},
	"form.unknown_reference":   {"there is no question named “{got}”", "mend the name, or add the question"},
	"form.bad_reference":       {"“{got}” is not a reference", "write ${name}"},
	"form.ambiguous_reference": {"“{got}” is the name of several questions (rows {other})", "give them different names"},
	"form.many_values":         {"“{got}” is asked in the repeat “{other}”, so it has many values here", "use sum(), count(), join() or indexed-repeat(), or move this into the repeat"},
	"form.cycle":               {"the value depends on itself: {got}", "break the ring at one of these places"},
	"form.unknown_filter":      {"the choice list “{other}” has no column “{got}”", "add the column to the choices sheet, or mend the name"},
	"form.unknown_instance":    {"instance('{got}') names no choice list or file of this form", ""},
	"form.path_nowhere":        {"the path “{got}” leads nowhere", "write ${name} instead"},
	"form.trigger":             {"the trigger “{got}” is not a reference to a question", "write ${name}"},
	"form.constant_text":       {"“{got}” is text, not an expression; it was not used", "write an expression such as . > 0"},
	"form.dry_run":             {"with blank answers the expression fails: {got}", ""},
	"form.expression_warning":  {"{got}", ""},
}
