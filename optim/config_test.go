package optim

import (
	"math"
	"strings"
	"testing"
)

func TestNewRefuses(t *testing.T) {
	cases := []struct {
		rule string
		c    Config
		want string
	}{
		{"difgrad", Config{}, `unknown optimizer "difgrad"; did you mean "diffgrad"?`},
		{"adam", Config{Options: Values{"momentum": 0.9}}, "adam takes no momentum; it takes weight-decay, decoupled-decay, clip-coord, " +
			"clip-value, agc, " +
			"clip-norm, sam, sam-adaptive, lookahead, lookahead-alpha, ema, beta1, beta2, eps, amsgrad"},
		{"adamw", Config{Options: Values{"nesterov": true}}, "adamw takes no nesterov"},
		{"sgd", Config{Options: Values{"beta1": 0.0}}, "sgd takes no beta1"},
		{"adam", Config{Options: Values{"diffgrad-dfc": "abs"}}, "adam takes no diffgrad-dfc"},
		{"sgd", Config{Options: Values{"nesterov": true}}, "nesterov needs momentum"},
		{"sgd", Config{Options: Values{"nesterov": true, "momentum": 0.9, "dampening": 0.1}}, "no dampening"},
		{"sgd", Config{Options: Values{"momentum": 1.0}}, "momentum=1: must be in [0, 1)"},
		{"adam", Config{Options: Values{"beta2": 1.0}}, "beta2=1: must be in [0, 1)"},
		{"adam", Config{Options: Values{"beta2": math.NaN()}}, "beta2=NaN"},
		{"adam", Config{Options: Values{"eps": -1e-8}}, "eps=-1e-08"},
		{"adam", Config{ClipNorm: new(0.0)}, "clip-norm=0: must be in (0, ∞)"},
		{"adam", Config{WeightDecay: new(math.Inf(1))}, "weight-decay=+Inf"},
		{"schedulefree-sgd", Config{Lookahead: 3}, "takes no lookahead"},
		{"adam", Config{LookaheadAlpha: new(0.3)}, "goes with lookahead"},
		{"adam", Config{Lookahead: -1}, "lookahead=-1: must be in [0, ∞)"},
		{"adam", Config{ClipCoord: new(0.1), ClipValue: new(1.0)}, "leave one out"},
		{"adam", Config{ClipCoord: new(1.0)}, "clip-coord=1: must be in (0, 1)"},
		{"adam", Config{Options: Values{"clip-norm": 1}}, "clip-norm is a field of Config"},
		{"diffgrad", Config{Options: Values{"diffgrad-dfc": "v3"}}, "there are abs, signed, wide"},
	}
	for _, c := range cases {
		if _, err := New(c.rule, c.c); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.rule, err, c.want)
		}
	}
}

// An option that several rules take is of one kind, and none has the name of one that every rule takes.
func TestSharedOptions(t *testing.T) {
	first := map[string]Option{}
	for _, r := range Rules() {
		for _, o := range r.Options {
			if general(o.Name) {
				t.Errorf("%s has an option %s of its own, which every rule takes", r.Name, o.Name)
			}
			f, seen := first[o.Name]
			if !seen {
				first[o.Name], f = o, o
			}
			if o.Doc == "" || o.Bool != f.Bool {
				t.Errorf("%s of %s is %q, elsewhere %q", o.Name, r.Name, o.Doc, f.Doc)
			}
		}
	}
	for _, o := range Options() {
		if !o.General && len(o.Takers) == 0 {
			t.Errorf("no rule takes %s", o.Name)
		}
	}
}

func TestUsage(t *testing.T) {
	takers := func(defaults ...string) (ts []Taker) {
		for i, d := range defaults {
			ts = append(ts, Taker{string(rune('a' + i)), "what", d})
		}
		return ts
	}
	for want, o := range map[string]Option{
		"what":                    {Doc: "what", General: true},
		"what (0.9; e 0.5)":       {Doc: "what", Takers: takers("0.9", "0.9", "0.9", "0.9", "0.5")},
		"what (a, c 0; b 1)":      {Doc: "what", Takers: takers("0", "1", "0")},
		"what (a, b)":             {Doc: "what", Bool: true, Takers: takers("false", "false")},
		"what (a abs; b wide)":    {Doc: "what", Takers: takers("abs", "wide")},
		"what (a 1); other (b 2)": {Doc: "what", Takers: append(takers("1"), Taker{"b", "other", "2"})},
	} {
		if got := o.Usage(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSet(t *testing.T) {
	var c Config
	for _, kv := range [][2]string{{"beta1", "0.95"}, {"nesterov", "true"}, {"diffgrad-dfc", "wide"}} {
		if err := c.Set(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.Options) != 3 || c.Options["beta1"] != "0.95" || c.Options["nesterov"] != "true" || c.Options["diffgrad-dfc"] != "wide" {
		t.Errorf("got %+v", c)
	}
	for _, kv := range [][2]string{{"beta1", "x"}, {"beta1", ""}, {"nesterov", "perhaps"}, {"beta3", "1"}} {
		if err := c.Set(kv[0], kv[1]); err == nil || !strings.Contains(err.Error(), kv[0]) {
			t.Errorf("%v: got %v", kv, err)
		}
	}
}
