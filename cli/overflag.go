package cli

import (
	"flag"
	"strings"

	ucli "github.com/urfave/cli/v2"
)

// overFlag is a flag that may be repeated, whose values may have commas in them: the framework's own would cut them there.
type overFlag struct{ *ucli.StringSliceFlag }

// Apply adds the flag to set, with nothing in it.
func (f *overFlag) Apply(set *flag.FlagSet) error {
	for _, name := range f.Names() {
		set.Var(new(overValues), name, f.Usage)
	}
	return nil
}

// overValues are what an overFlag was given.
type overValues []string

func (v *overValues) Set(s string) error { *v = append(*v, s); return nil }
func (v *overValues) String() string     { return strings.Join(*v, " ") }
func (v *overValues) Get() any           { return []string(*v) }

// overs are the values of an overFlag, nil where it is not given.
func overs(c *ucli.Context, name string) []string {
	v, _ := c.Value(name).([]string)
	return v
}
