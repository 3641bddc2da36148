package cli

import ucli "github.com/urfave/cli/v2"

// namedFlag is a flag that keeps its names. The framework asks every flag for its names to find each of the others, and its own work them
// out anew with a regular expression: that was a sixth of the time of a small training.
type namedFlag struct {
	singleFlag
	names []string
}

// singleFlag is what the framework's flags of one value are.
type singleFlag interface {
	ucli.DocGenerationFlag
	ucli.RequiredFlag
	ucli.CategorizableFlag
	ucli.ActionableFlag
}

func (f *namedFlag) Names() []string { return f.names }

// keepNames makes the flags of fs that have one value keep their names. The framework looks into the others.
func keepNames(fs []ucli.Flag) []ucli.Flag {
	kept := make([]ucli.Flag, len(fs))
	for i, f := range fs {
		kept[i] = f
		switch f.(type) {
		case *ucli.BoolFlag, *ucli.StringFlag, *ucli.IntFlag, *ucli.Int64Flag, *ucli.UintFlag, *ucli.Uint64Flag, *ucli.Float64Flag:
			kept[i] = &namedFlag{f.(singleFlag), f.Names()}
		}
	}
	return kept
}
