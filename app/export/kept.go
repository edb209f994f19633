package export

import (
	"context"
	"encoding/json"
	"fmt"

	"ironfeet/forms/xlsform"
)

// Keep keeps a template under its file name for everybody at the desk.
func (d *Desk) Keep(ctx context.Context, name string, data []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, err := d.templates(ctx)
	if err != nil {
		return err
	}
	all[name] = data
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return d.Replica.SetSetting(ctx, settingTemplates, text)
}

func (d *Desk) templates(ctx context.Context) (map[string][]byte, error) {
	all := map[string][]byte{}
	text, err := d.Replica.Setting(ctx, settingTemplates)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &all)
	}
	return all, err
}

// Templates are the names of the kept templates.
func (d *Desk) Templates(ctx context.Context) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, err := d.templates(ctx)
	return sortedKeys(all), err
}

// Template opens a kept template; "" is the default one.
func (d *Desk) Template(ctx context.Context, name string) (*Template, error) {
	if name == "" {
		return Default(), nil
	}
	d.mu.Lock()
	all, err := d.templates(ctx)
	d.mu.Unlock()
	if err != nil {
		return nil, err
	}
	data, ok := all[name]
	if !ok {
		return nil, &RequestError{Why: "template"}
	}
	fields, err := FieldsOf(ctx, d.Replica)
	if err != nil {
		return nil, err
	}
	t, report := ReadTemplate(name, data, fields)
	if t == nil {
		return nil, &TemplateError{name, report}
	}
	return t, nil
}

// A TemplateError holds everything that is wrong with a template.
type TemplateError struct {
	File   string
	Report xlsform.Report
}

func (e *TemplateError) Error() string {
	return fmt.Sprintf("%s: %d errors, the first: %s", e.File, len(e.Report.Errors), e.Report.Errors[0])
}

// Code is the key of the sentence.
func (e *TemplateError) Code() string { return "template.faulty" }
