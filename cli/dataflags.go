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
		&ucli.StringFlag{Name: "label-column", Category: group, Usage: "csv: `COLUMN` of the label, several with commas, or none"},
		&ucli.StringFlag{Name: "mask-column", Category: group, Usage: "csv: `COLUMN` of the files with the class of each pixel"},
		&ucli.StringFlag{Name: "decimal", Category: group,
			Usage: "csv: the decimal mark, a comma or a point, when it is not detected rightly"},
		&ucli.StringFlag{Name: "file-column", Category: group, Usage: "csv: `COLUMN` of the picture files"},
		&ucli.StringFlag{Name: "root", Category: group, Usage: "csv: `FOLDER` of the picture files"},
		&ucli.StringFlag{Name: "header", Category: group, Usage: "csv: true or false, when it is not detected rightly"},
		&ucli.StringSliceFlag{Name: "group-by", Category: group, Usage: "csv: `COLUMN` that is a group, not a feature"},
		&ucli.StringFlag{Name: "on-bad-sample", Category: group, Value: "error",
			Usage: "error, or skip: files that cannot be read are found by reading all of them first, and left out"},
		&ucli.BoolFlag{Name: "follow-links", Category: group, Usage: "follow symbolic links out of a folder of data"},
		&ucli.BoolFlag{Name: "allow-nonfinite", Category: group, Usage: "NaN and infinity are data, not errors"},
	}
}

// dataFlag is the flag --data of a command.
func dataFlag() ucli.Flag {
	return &ucli.StringFlag{Name: "data", Category: "data", Usage: "data set: `FORMAT:PATH[#SPLIT]` or a path whose format is " +
		"recognised; see gtk data --list", EnvVars: []string{"GTK_DATA"}}
}

// dataOptions are the options of reading by the flags.
func dataOptions(c *ucli.Context) data.Options {
	return data.Options{
		Task: c.String("task"), LabelColumn: c.String("label-column"), MaskColumn: c.String("mask-column"), Decimal: c.String("decimal"),
		FileColumn: c.String("file-column"), Root: c.String("root"),
		Header: c.String("header"), GroupBy: c.StringSlice("group-by"), AllowNonFinite: c.Bool("allow-nonfinite"),
		OnBadSample: c.String("on-bad-sample"), FollowLinks: c.Bool("follow-links"),
	}
}
