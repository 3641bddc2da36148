package optim

import "testing"

// FuzzSet gives options any text: what is accepted makes an optimiser or an error.
func FuzzSet(f *testing.F) {
	for _, o := range Options() {
		f.Add("adam", o.Name, "0.5")
		f.Add("sgd", o.Name, "true")
	}
	f.Add("diffgrad", "diffgrad-dfc", "signed")
	f.Add("sgd", "momentum", "NaN")
	f.Fuzz(func(t *testing.T, rule, option, value string) {
		var c Config
		if c.Set(option, value) != nil {
			return
		}
		o, err := New(rule, c)
		if err == nil && o == nil {
			t.Fatal("neither optimiser nor error")
		}
	})
}
