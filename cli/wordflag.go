package cli

import ucli "github.com/urfave/cli/v2"

// wordFlag is a switch that may have a word behind an equals sign: --profile, --profile=nodes. Its value is a *switchWord.
type wordFlag struct{ *ucli.GenericFlag }

// TakesValue is false: the next argument is none of its own.
func (f *wordFlag) TakesValue() bool { return false }

// String is how help shows the flag.
func (f *wordFlag) String() string { return ucli.FlagStringer(f) }

// switchWord is what a wordFlag was given: true where no word is.
type switchWord struct{ s string }

func (w *switchWord) Set(s string) error { w.s = s; return nil }
func (w *switchWord) String() string     { return w.s }

// IsBoolFlag makes the framework take the flag without a value.
func (w *switchWord) IsBoolFlag() bool { return true }

// wordOf is the word of a wordFlag, "" where it is not given.
func wordOf(c *ucli.Context, name string) string {
	if w, ok := c.Generic(name).(*switchWord); ok {
		return w.s
	}
	return ""
}
