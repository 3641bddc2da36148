package cli

import (
	"cmp"
	"slices"

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

// unreadFlags refuses flags of a csv where none of the data of the command is one, or has a use for them.
func unreadFlags(c *ucli.Context, asked data.Options) error {
	var specs []string
	for _, flag := range []string{"data", "val", "reference"} {
		if s := c.String(flag); s != "" {
			specs = append(specs, s)
		}
	}
	if specs == nil {
		specs = c.Args().Slice()
	}
	var unread []string
	format := ""
	for _, spec := range specs {
		settings, f := asked.Unread(spec)
		switch {
		case f == "":
		case format == "":
			unread, format = settings, f
		default:
			unread = slices.DeleteFunc(unread, func(s string) bool { return !slices.Contains(settings, s) })
		}
	}
	if len(unread) == 0 {
		return nil
	}
	name := map[string]string{"label": "label-column", "mask": "mask-column", "file": "file-column"}
	flag := cmp.Or(name[unread[0]], unread[0])
	return usagef("--%s is for a csv, and these data are read as %s, which has no use for it: leave it out, or name the format, as csv:PATH",
		flag, format)
}
