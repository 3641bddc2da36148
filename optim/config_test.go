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
		{"adam", Config{Momentum: new(0.9)}, "adam takes no momentum; it takes weight-decay, decoupled-decay, clip-norm, beta1, beta2, eps"},
		{"adamw", Config{Nesterov: true}, "adamw takes no nesterov"},
		{"sgd", Config{Beta1: new(0.0)}, "sgd takes no beta1"},
		{"adam", Config{DiffGradDFC: "abs"}, "adam takes no diffgrad-dfc"},
		{"sgd", Config{Nesterov: true}, "nesterov needs momentum"},
		{"sgd", Config{Nesterov: true, Momentum: new(0.9), Dampening: new(0.1)}, "no dampening"},
		{"sgd", Config{Momentum: new(1.0)}, "momentum 1: must be in [0, 1)"},
		{"adam", Config{Beta2: new(1.0)}, "beta2 1: must be in [0, 1)"},
		{"adam", Config{Beta2: new(math.NaN())}, "beta2 NaN"},
		{"adam", Config{Eps: new(-1e-8)}, "eps -1e-08"},
		{"adam", Config{ClipNorm: new(0.0)}, "clip-norm 0: must be in (0, ∞)"},
		{"adam", Config{WeightDecay: new(math.Inf(1))}, "weight-decay +Inf"},
		{"diffgrad", Config{DiffGradDFC: "v3"}, "there are abs, signed and wide"},
	}
	for _, c := range cases {
		if _, err := New(c.rule, c.c); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.rule, err, c.want)
		}
	}
}

func TestEveryOptionHasARule(t *testing.T) {
	used := map[string]bool{}
	for _, r := range Rules() {
		for _, o := range r.Options {
			used[o] = true
		}
	}
	for _, o := range Options() {
		if !used[o.Name] && !o.General {
			t.Errorf("no rule takes %s", o.Name)
		}
		delete(used, o.Name)
	}
	for o := range used {
		t.Errorf("option %s is not defined", o)
	}
}

func TestSet(t *testing.T) {
	var c Config
	for _, kv := range [][2]string{{"beta1", "0.95"}, {"nesterov", "true"}, {"diffgrad-dfc", "wide"}} {
		if err := c.Set(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	if *c.Beta1 != 0.95 || !c.Nesterov || c.DiffGradDFC != "wide" || c.Beta2 != nil {
		t.Errorf("got %+v", c)
	}
	for _, kv := range [][2]string{{"beta1", "x"}, {"beta1", ""}, {"nesterov", "perhaps"}, {"beta3", "1"}} {
		if err := c.Set(kv[0], kv[1]); err == nil || !strings.Contains(err.Error(), kv[0]) {
			t.Errorf("%v: got %v", kv, err)
		}
	}
}
