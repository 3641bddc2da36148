package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
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
		&ucli.StringFlag{Name: "labels", Usage: "`FILE` with the names of the classes"},
	}
	flags := append(append(sheet, dataFlags()...), taskFlag())
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
			&ucli.StringFlag{Name: "labels", Usage: "`FILE` with the names of the classes"},
		}, append(dataFlags(), taskFlag())...),
	}, dataConvert)}
	register(top)
}

func dataInfo(_ context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		var rows []listed
		for _, f := range data.Formats() {
			rows = append(rows, listed{f.Name, f.Doc, f.Source})
		}
		return e.list(rows)
	}
	spec, err := oneArg(c, "SPEC")
	if err != nil {
		return err
	}
	r, err := job.Data(job.DataConfig{
		Data: spec, Options: dataOptions(c), Labels: c.String("labels"), Check: c.Int("check"), Sheet: c.String("out"), PerClass: c.Int("per-class"),
		Cell: c.Int("cell"), Force: c.Bool("force"),
	})
	if err != nil {
		return err
	}
	s := r.Summary
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
	if r.Sheet != "" {
		e.printf("contact sheet written to %s\n", r.Sheet)
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
		e.printf("  … and %s\n", units.Of(k, "1 smaller class", "%d smaller classes"))
	}
}

func dataConvert(_ context.Context, e *env, c *ucli.Context) error {
	spec, err := oneArg(c, "SPEC")
	if err != nil {
		return err
	}
	r, err := job.Convert(job.ConvertConfig{
		Data: spec, Options: dataOptions(c), Labels: c.String("labels"), Out: c.String("out"), Link: c.Bool("link"), Force: c.Bool("force"),
	})
	if err != nil {
		return err
	}
	e.printf("%s of %s written to %s (%s)\n", units.Plural(r.N, "example"), spec, r.Out, r.Format)
	return e.emit(r)
}
