package options

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

type sample struct {
	Smoothing float64 `opt:"smoothing" doc:"share"`
	Count     int     `opt:"count"`
	On        bool    `opt:"on"`
	Name      string  `opt:"name"`
	Hidden    int
}

func TestApply(t *testing.T) {
	s := sample{Smoothing: 0.5}
	name, pairs, err := Split("loss:smoothing=0.25:count=3:on=true:name=a=b")
	if err != nil || name != "loss" {
		t.Fatal(name, err)
	}
	if l := List(&s); len(l) != 4 || !reflect.DeepEqual(l[0], Option{Name: "smoothing", Doc: "share", Default: "0.5"}) {
		t.Errorf("%v", l)
	}
	if err := Apply(&s, pairs); err != nil || s != (sample{0.25, 3, true, "a=b", 0}) {
		t.Errorf("%+v %v", s, err)
	}
	for in, want := range map[string]string{
		"x:smothing=1": "did you mean", "x:hidden=1": "no option", "x:count=a": "whole number", "x:on=maybe": "true or false",
		"x:smoothing=inf": "finite",
	} {
		_, pairs, err := Split(in)
		if err == nil {
			err = Apply(&s, pairs)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", in, err)
		}
	}
	if _, _, err := Split("x:y"); err == nil {
		t.Error("an option without a value")
	}
}

type bounded struct {
	Rate  float64  `opt:"rate" range:"[0, 1)"`
	Limit *float64 `opt:"limit" range:"(0, ∞)"`
	Count int      `opt:"count" range:"[1, 9]"`
	Form  string   `opt:"form" choices:"abs|signed"`
	On    bool     `opt:"on"`
}

func TestRangesAndChoices(t *testing.T) {
	b := bounded{Rate: 0.5, Count: 1, Form: "abs"}
	l := List(&b)
	if l[1].Default != "" || l[1].Range != "(0, ∞)" || !reflect.DeepEqual(l[3].Choices, []string{"abs", "signed"}) || !l[4].Bool {
		t.Errorf("%+v", l)
	}
	for _, c := range [][3]string{
		{"rate", "0", ""}, {"rate", "1", "must be in [0, 1)"}, {"rate", "-1e-9", "must be in"}, {"limit", "2", ""},
		{"limit", "0", "must be in (0, ∞)"}, {"limit", "x", "want a number"}, {"count", "9", ""}, {"count", "10", "must be in [1, 9]"},
		{"form", "signed", ""}, {"form", "v3", "there are abs, signed"},
	} {
		if err := Set(&b, c[0], c[1]); (err == nil) != (c[2] == "") || err != nil && !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if b.Rate != 0 || *b.Limit != 2 || b.Count != 9 || b.Form != "signed" {
		t.Errorf("a refused value was kept: %+v", b)
	}
	b.Limit = new(math.Inf(1))
	if err := Check(&b); err == nil || !strings.Contains(err.Error(), "finite") {
		t.Error(err)
	}
}
