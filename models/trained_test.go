package models

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTrained(t *testing.T) {
	for name, want := range map[string]struct {
		file    []byte
		classes []string
	}{
		"digits-trained": {digitsModel, strings.Fields("0 1 2 3 4 5 6 7 8 9")},
		"shapes-trained": {shapesModel, strings.Fields("circle square triangle star cross ring heart moon")},
	} {
		m, err := New(name, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(want.file) > 400<<10 {
			t.Errorf("%s has %d bytes; the program should stay small", name, len(want.file))
		}
		var labels []string
		s, _ := m.Metadata("gtk.labels")
		if err := json.Unmarshal([]byte(s), &labels); err != nil || strings.Join(labels, " ") != strings.Join(want.classes, " ") {
			t.Errorf("%s: labels %q (%v)", name, s, err)
		}
		if p, ok := m.Metadata("gtk.preprocess"); !ok {
			t.Errorf("%s: preprocessing %q", name, p)
		}
		if _, err := New(name, Options{Classes: 3}); err == nil {
			t.Errorf("%s takes a number of classes", name)
		}
	}
}
