package options

import (
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
	if l := List(&s); len(l) != 4 || l[0] != (Option{"smoothing", "share", "0.5"}) {
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
