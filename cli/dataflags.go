package cli

import (
	"github.com/gtk-onnx/gtk/data"
	ucli "github.com/urfave/cli/v2"
)

// dataFlags say how a data set is read; those of pictures and labels are in preprocessFlags. The flag --data itself belongs to the
// commands that take it.
func dataFlags() []ucli.Flag {
	const group = "data"
	return []ucli.Flag{
		&ucli.StringFlag{Name: "label-column", Category: group, Usage: "csv: `COLUMN` of the label, or none"},
		&ucli.StringFlag{Name: "file-column", Category: group, Usage: "csv: `COLUMN` of the picture files"},
		&ucli.StringFlag{Name: "root", Category: group, Usage: "csv: `FOLDER` of the picture files"},
		&ucli.StringFlag{Name: "header", Category: group, Usage: "csv: true or false, when it is not detected rightly"},
		&ucli.StringSliceFlag{Name: "group-by", Category: group, Usage: "csv: `COLUMN` that is a group, not a feature"},
		&ucli.BoolFlag{Name: "allow-nonfinite", Category: group, Usage: "NaN and infinity are data, not errors"},
	}
}

// dataFlag is the flag --data of a command.
func dataFlag() ucli.Flag {
	return &ucli.StringFlag{Name: "data", Category: "data", Usage: "data set: `FORMAT:PATH[#SPLIT]` or a path whose format is recognised; see gtk data --list", EnvVars: []string{"GTK_DATA"}}
}

// dataOptions are the options of reading by the flags.
func dataOptions(c *ucli.Context) data.Options {
	return data.Options{
		Task: c.String("task"), LabelColumn: c.String("label-column"), FileColumn: c.String("file-column"), Root: c.String("root"),
		Header: c.String("header"), GroupBy: c.StringSlice("group-by"), AllowNonFinite: c.Bool("allow-nonfinite"),
	}
}
