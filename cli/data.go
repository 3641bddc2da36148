package cli

import (
	"cmp"
	"context"
	"fmt"
	"image/png"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/tensor"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	sheet := []ucli.Flag{
		&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE.png` for a contact sheet"},
		&ucli.IntFlag{Name: "per-class", Value: 10, Usage: "pictures of each class on the sheet"},
		&ucli.IntFlag{Name: "cell", Value: 64, Usage: "width of a picture on the sheet"},
		&ucli.IntFlag{Name: "check", Value: 1000, Usage: "examples to read, spread over the set; 0 means all"},
		&ucli.BoolFlag{Name: "list", Usage: "list the formats"},
		&ucli.BoolFlag{Name: "force", Usage: "replace FILE.png if it is there"},
		&ucli.StringFlag{Name: "labels", Usage: "file with the names of the classes"},
	}
	flags := append(sheet, dataFlags()...)
	info := command(&ucli.Command{Name: "info", Usage: "say what is in a data set", ArgsUsage: "SPEC", Flags: slices.Clone(flags)}, dataInfo)
	top := command(&ucli.Command{
		Name: "data", Usage: "look at a data set, or convert it", ArgsUsage: "[info | convert] SPEC",
		Description: "SPEC is FORMAT:PATH[#SPLIT], or a path whose format is recognised; gtk data --list names the formats.\n\n" +
			"   gtk data digits -o digits.png\n   gtk data convert idx:mnist#test -o mnist.npz",
		Flags: flags,
	}, dataInfo)
	top.Subcommands = []*ucli.Command{info, command(&ucli.Command{
		Name: "convert", Usage: "write a data set as a .npz file, or as a folder of pictures", ArgsUsage: "SPEC -o FILE.npz|FOLDER",
		Flags: append([]ucli.Flag{
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE.npz`, or a folder for one sub-folder of pictures per class"},
			&ucli.BoolFlag{Name: "link", Usage: "link picture files instead of copying them"},
			&ucli.BoolFlag{Name: "force", Usage: "replace FILE.npz if it is there"},
			&ucli.StringFlag{Name: "labels", Usage: "file with the names of the classes"},
		}, dataFlags()...),
	}, dataConvert)}
	register(top)
}

type dataReport struct {
	Schema   string         `json:"schema"`
	Spec     string         `json:"spec"`
	N        int            `json:"n"`
	Classes  []string       `json:"classes"`
	Shape    []int          `json:"shape"`
	PerClass map[string]int `json:"per_class"`
	Sheet    string         `json:"sheet,omitempty"`
	Warnings []string       `json:"warnings"`
	data.Summary
}

func openSpec(c *ucli.Context) (string, data.Dataset, error) {
	spec, err := oneArg(c, "SPEC")
	if err != nil {
		return "", nil, err
	}
	var classes []string
	if path := c.String("labels"); path != "" {
		if classes, err = readLabels(path); err != nil {
			return "", nil, err
		}
	}
	ds, err := data.Open(spec, dataOptions(c, classes))
	return spec, ds, err
}

func dataInfo(_ context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		var rows []listed
		for _, f := range data.Formats() {
			rows = append(rows, listed{f.Name, f.Doc, f.Source})
		}
		return e.list(rows)
	}
	out := c.String("out")
	if out != "" {
		if err := mayWrite(out, c.Bool("force")); err != nil {
			return err
		}
	}
	spec, ds, err := openSpec(c)
	if err != nil {
		return err
	}
	s := data.Summarise(ds, c.Int("check"))
	r := dataReport{Schema: "gtk.data/1", Spec: spec, N: s.N, Classes: append([]string{}, s.Classes...), Shape: s.Shape, PerClass: s.PerClass, Sheet: out, Warnings: append([]string{}, s.Warnings...), Summary: s}
	e.printf("%s\n", spec)
	t := e.newTable()
	t.row("examples", s.N)
	kind := "tensors"
	if s.Pictures {
		kind = "pictures"
	}
	shape := "of different shapes"
	if s.Shape != nil {
		shape = tensor.Shape(s.Shape).String()
	}
	t.row("kind", fmt.Sprintf("%s, %s %s", kind, s.DType, shape))
	if len(s.Classes) > 0 {
		t.row("classes", len(s.Classes))
	}
	if s.Targets != nil {
		t.row("targets", tensor.Shape(s.Targets))
	}
	if len(s.Groups) > 0 {
		t.row("groups", strings.Join(s.Groups, ", "))
	}
	if s.Masks {
		t.row("masks", "yes")
	}
	if s.Planted > 0 {
		t.row("wrong labels", fmt.Sprintf("%d, planted on purpose", s.Planted))
	}
	if err := t.flush(); err != nil {
		return err
	}
	printClasses(e, s)
	for _, w := range s.Warnings {
		e.printf("note: %s\n", w)
	}
	for _, d := range s.Damaged {
		e.printf("  %s\n", d)
	}
	if out != "" {
		sheet, err := data.ContactSheet(ds, c.Int("per-class"), c.Int("cell"))
		if err != nil {
			return badInput(err)
		}
		if err := writeFile(out, func(f *os.File) error { return png.Encode(f, sheet) }); err != nil {
			return err
		}
		e.printf("contact sheet written to %s\n", out)
	}
	return e.emit(r)
}

// printClasses prints the counts by class, in the order of the classes, the largest only when there are many.
func printClasses(e *env, s data.Summary) {
	if len(s.PerClass) == 0 {
		return
	}
	const most = 30
	names := slices.Clone(s.Classes)
	if len(names) > most {
		names = slices.SortedFunc(maps.Keys(s.PerClass), func(a, b string) int {
			return cmp.Or(cmp.Compare(s.PerClass[b], s.PerClass[a]), cmp.Compare(a, b))
		})[:most]
	}
	highest := 1
	for _, n := range names {
		highest = max(highest, s.PerClass[n])
	}
	t := e.newTable(1)
	for _, n := range names {
		t.row(clip(n, 40), s.PerClass[n], strings.Repeat("#", 30*s.PerClass[n]/highest))
	}
	_ = t.flush() // to the terminal
	if k := len(s.Classes) - len(names); k > 0 {
		e.printf("  … and %d smaller classes\n", k)
	}
}

type convertReport struct {
	Schema string `json:"schema"`
	Spec   string `json:"spec"`
	Out    string `json:"out"`
	Format string `json:"format"`
	N      int    `json:"n"`
}

func dataConvert(_ context.Context, e *env, c *ucli.Context) error {
	out := c.String("out")
	if out == "" {
		return usagef("gtk data convert: give what to write: -o FILE.npz or -o FOLDER")
	}
	r := convertReport{Schema: "gtk.data.convert/1", Out: out, Format: "imagefolder"}
	if strings.HasSuffix(strings.ToLower(out), ".npz") {
		r.Format = "npz"
		if err := mayWrite(out, c.Bool("force")); err != nil {
			return err
		}
	} else if err := mayWrite(out, false); err != nil {
		if entries, derr := os.ReadDir(out); derr != nil || len(entries) > 0 {
			return usagef("%s exists already; a folder of pictures is written to a new or empty folder", out)
		}
	}
	spec, ds, err := openSpec(c)
	if err != nil {
		return err
	}
	r.Spec, r.N = spec, ds.Len()
	if r.Format == "npz" {
		err = writeFile(out, func(f *os.File) error { return data.WriteNPZ(f, ds) })
	} else {
		err = data.WriteImageFolder(out, ds, c.Bool("link"))
	}
	if err != nil {
		return err
	}
	e.printf("%d examples of %s written to %s (%s)\n", r.N, spec, out, r.Format)
	return e.emit(r)
}
