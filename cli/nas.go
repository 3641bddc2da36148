package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gtk-onnx/gtk/internal/units"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/nas"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register("nas", func() *ucli.Command {
		top := command(&ucli.Command{
			Name: "nas", Usage: "train one set of weights for many networks, rank them, and take one out",
			ArgsUsage: "build | train | rank | extract",
			Description: "  gtk nas build --space nas201 --channels 8 --cells 1 --data digits#train -o super.onnx\n" +
				"  gtk nas train super.onnx --data digits#train --sampler panda -o run\n" +
				"  gtk nas rank run --data digits#train --val digits#test --sample 50 -o ranks\n" +
				"  gtk nas extract run --arch 3,2,1,3,0,4 --data digits#train -o small.onnx",
			Flags: []ucli.Flag{&ucli.BoolFlag{Name: "list", Usage: "list spaces and samplers"}},
		}, func(_ context.Context, e *env, c *ucli.Context) error {
			switch {
			case c.Bool("list"):
				return e.list(nasList())
			case c.Args().Len() == 0:
				return usagef("gtk nas: what is to be done is missing: gtk nas build, train, rank or extract")
			}
			return noCommand("nas "+c.Args().First(), "nas build", "nas train", "nas rank", "nas extract")
		})
		top.OnUsageError = func(_ *ucli.Context, err error, _ bool) error { // a flag of what is done
			return usagef("gtk nas: %v: what is to be done comes first, as in gtk nas build --space nas201", err)
		}
		top.Subcommands = []*ucli.Command{nasBuildCommand(), nasTrainCommand(), nasRankCommand(), nasExtractCommand()}
		return top
	})
}

// nasList is what --list prints.
func nasList() []listed {
	spaces, samplers := listOf(nas.Spaces().Entries()), listOf(nas.Samplers().Entries())
	for i := range spaces {
		spaces[i].Name = "space " + spaces[i].Name
	}
	for i := range samplers {
		samplers[i].Name = "sampler " + samplers[i].Name
	}
	return append(spaces, samplers...)
}

func nasBuildCommand() *ucli.Command {
	return command(&ucli.Command{
		Name: "build", Usage: "build a supernet with random weights", ArgsUsage: "--space NAME -o FILE",
		Description: "One ONNX model with all networks of the space: its input arch says which operator stands at each choice. Nests of " +
			"Ifs run\nnothing but the path that is asked for.",
		Flags: slices.Concat([]ucli.Flag{
			&ucli.StringFlag{Name: "space", Value: "nas201", Usage: "`NAME`: " + strings.Join(nas.Spaces().Names(), ", ") + " (see --list)"},
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write"},
			&ucli.BoolFlag{Name: "force", Usage: "replace it"},
			&ucli.BoolFlag{Name: "list", Usage: "list spaces and samplers"},
			&ucli.IntFlag{Name: "cells", Usage: "cells, or blocks, in a stage", DefaultText: "5 of nas201, 2 of mobile"},
			&ucli.IntFlag{Name: "stages", Usage: "stages, each of half the size and twice the channels of the one before",
				DefaultText: "3"},
			&ucli.IntFlag{Name: "nodes", Usage: "nodes of a cell of nas201, its input being one", DefaultText: "4"},
			&ucli.IntFlag{Name: "classes", Usage: "number of outputs", DefaultText: "those of --data, or 10"},
			&ucli.IntFlag{Name: "input-channels", Usage: "channels of the pictures", DefaultText: "those of --data, or 1"},
			dataFlag(),
		}, dataFlags(), nasPictureFlags()),
	}, runNASBuild)
}

// nasPictureFlags are preprocessFlags without those whose names a space has another use for.
func nasPictureFlags() []ucli.Flag {
	fs := slices.DeleteFunc(preprocessFlags(), func(f ucli.Flag) bool {
		return slices.Contains([]string{"channels", "labels", "layout"},
			f.Names()[0])
	})
	return append(fs, &ucli.IntFlag{Name: "channels", Usage: "channels of the first stage", DefaultText: "16"})
}

func runNASBuild(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(nasList())
	}
	if c.Args().Len() > 0 {
		return usagef("gtk nas build: unexpected argument %q; see gtk nas build --help", c.Args().First())
	}
	cfg := job.NASBuildConfig{Data: c.String("data"), DataOptions: dataOptions(c), Preprocess: map[string]string{}, Out: c.String("out"),
		Force: c.Bool("force"), Space: nas.Space{Name: c.String("space"), Seed: e.Seed}}
	for name, into := range map[string]*int{"channels": &cfg.Channels, "cells": &cfg.Cells, "stages": &cfg.Stages, "nodes": &cfg.Nodes,
		"classes": &cfg.Classes, "input-channels": &cfg.Inputs} {
		if *into = c.Int(name); c.IsSet(name) && *into < 1 {
			return usagef("--%s %d: want at least 1", name, *into)
		}
	}
	for _, name := range job.PreprocessSettings {
		if name != "channels" && c.IsSet(name) {
			cfg.Preprocess[name] = c.String(name)
		}
	}
	if s := cfg.Preprocess["image-size"]; s != "" && cfg.Data == "" {
		if _, err := fmt.Sscanf(s, "%d", &cfg.ImageSize); err != nil || fmt.Sprint(cfg.ImageSize) != s || cfg.ImageSize < 1 {
			return usagef("--image-size %q: want a number; the networks of a space take square pictures", s)
		}
	}
	r, err := job.NASBuild(ctx, cfg)
	if err != nil {
		return err
	}
	e.printf("%s written: %s architectures of %s, %s weights, random from seed %d\n", r.Out, nasCount(r.Archs),
		units.Plural(len(r.Choices), "choice"), units.Count(r.Parameters), e.Seed)
	e.printf("  pictures %d×%d×%d, %d classes, %d channels at first, %s of %s\n", r.Input[0], r.Input[1], r.Input[2], r.Classes, r.Channels,
		units.Plural(r.Stages, "stage"), units.Plural(r.Cells, "cell"))
	for i, o := range r.Operators {
		e.printf("  operator %d %s\n", i, o)
	}
	for i, x := range r.Choices {
		e.printf("  choice %d %s: %s\n", i+1, x.Name, strings.Trim(strings.ReplaceAll(fmt.Sprint(x.Operators), " ", ","), "[]"))
	}
	return e.emit(r)
}

// nasCount is a number of architectures.
func nasCount(n float64) string {
	if n < 1e7 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.3g", n)
}

func nasTrainCommand() *ucli.Command {
	const group = "supernet"
	optimiser := slices.DeleteFunc(optimizerFlags(), func(f ucli.Flag) bool { return f.Names()[0] == "optimizer" || f.Names()[0] == "sam" })
	return command(&ucli.Command{
		Name: "train", Usage: "train a supernet, one path in each step", ArgsUsage: "SUPERNET --data SPEC -o FOLDER",
		Description: "Draws a path for each step, and with data or panda the examples too, by how large their gradients were: PA&DA (Lu " +
			"et al. 2023,\nhttps://arxiv.org/abs/2302.14772). The folder gets supernet.onnx, checkpoint.npz, run.yaml, metrics.csv and " +
			"report.html. Ctrl-C saves a\n" +
			"checkpoint; gtk nas train --resume FOLDER goes on bit for bit.\n\n" +
			"  gtk nas train super.onnx --data imagefolder:photos --sampler panda --floor 0.05 --keep-scores -o run",
		Flags: slices.Concat([]ucli.Flag{
			dataFlag(),
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for everything"},
			&ucli.BoolFlag{Name: "force", Usage: "replace what is there"},
			&ucli.BoolFlag{Name: "dry-run", Usage: "say what would be trained and how long it takes"},
			&ucli.BoolFlag{Name: "list", Usage: "list samplers, optimisers and schedules"},
			&ucli.StringFlag{Name: "resume", Category: "checkpoints", Usage: "`FOLDER` of a run to continue, with the flags of that run"},
			&ucli.StringFlag{Name: "sampler", Category: group, Value: "panda", Usage: "`NAME`: " + strings.Join(nas.Samplers().Names(), ", ") +
				" (see --list)"},
			&ucli.Float64Flag{Name: "floor", Category: group, Usage: "least probability of an operator; as published 0, so that " +
				"operators without " +
				"weights are hardly drawn near the end"},
			&ucli.BoolFlag{Name: "keep-scores", Category: group, Usage: "what an epoch did not show keeps its score; as published it " +
				"loses it"},
			&ucli.BoolFlag{Name: "unbiased", Category: group, Usage: "weight the losses of examples by 1/(N·p); as published they are " +
				"not, and hard or mislabelled examples count more"},
			&ucli.Float64Flag{Name: "max-weight", Category: group, Value: 10, Usage: "most of these weights"},
			&ucli.IntFlag{Name: "variance", Category: group,
				Usage: "estimate the variance of the gradient by law from so many `STEPS`, on ten occasions"},
			&ucli.IntFlag{Name: "epochs", Category: "training", Value: 60, Usage: "passes over the data"},
			&ucli.StringFlag{Name: "batch-size", Category: "training", Value: "64", Usage: "examples in one step"},
			&ucli.Float64Flag{Name: "clip", Category: "training", Value: 5, Usage: "limit of the norm of the gradient of a step; 0 is " +
				"none"},
			&ucli.StringFlag{Name: "augment", Category: "training", Usage: "random changes of the examples, as of gtk finetune"},
			&ucli.StringFlag{Name: "optimizer", Category: "optimiser", Value: "sgd",
				Usage: "`NAME`: " + ruleNames() + " (see --list); sgd has momentum " +
					"0.9, weight decay 0.00025 and rate 0.05 unless given"},
		}, optimiser, dataFlags(), preprocessFlags()),
	}, runNASTrain)
}

func runNASTrain(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(append(nasList(), trainingList()...))
	}
	path, err := oneArg(c, "the supernet")
	if err != nil {
		return err
	}
	cfg := job.NASTrainConfig{Model: path, ModelOptions: e.modelOptions(c), Data: c.String("data"), DataOptions: dataOptions(c),
		Sampler: c.String("sampler"), Epochs: c.Int("epochs"), Clip: c.Float64("clip"), Floor: c.Float64("floor"),
		Keep:     c.Bool("keep-scores"),
		Unbiased: c.Bool("unbiased"), MaxWeight: c.Float64("max-weight"), Variance: c.Int("variance"), Out: c.String("out"),
		Force:  c.Bool("force"),
		Resume: c.String("resume"), Seed: e.Seed}
	switch {
	case cfg.Epochs < 1:
		return usagef("--epochs %d: want at least 1", cfg.Epochs)
	case !(cfg.MaxWeight > 0):
		return usagef("--max-weight %v: want a positive number", cfg.MaxWeight)
	case !(cfg.Clip >= 0):
		return usagef("--clip %v: want a positive number, or 0 for none", cfg.Clip)
	case cfg.Clip == 0:
		cfg.Clip = -1
	case c.IsSet("max-weight") && !cfg.Unbiased:
		return usagef("--max-weight goes with --unbiased")
	}
	if cfg.TrainOptions, err = trainOptions(c); err != nil {
		return err
	}
	if c.Bool("dry-run") {
		p, err := job.PlanNASTrain(ctx, cfg, e.reporter())
		if err != nil {
			return err
		}
		e.printf("%s of %s, %s weights for %s architectures\nabout %.1f ms a step whose path is new, %s in all, less where paths come "+
			"again\nnothing was written\n", units.Plural(p.Steps, "step"), units.Plural(p.BatchSize, "example"), units.Count(p.Weights),
			nasCount(p.Archs),
			p.MsPerStep, time.Duration(p.Seconds*float64(time.Second)).Round(time.Second))
		return e.emit(p)
	}
	if cfg.Replay, err = resolvedConfig(c); err != nil {
		return err
	}
	r, err := job.NASTrain(ctx, cfg, e.reporter())
	var stopped *job.InterruptedError
	if errors.As(err, &stopped) {
		fmt.Fprintf(e.Stderr, "gtk: step %d saved in %s; gtk nas train --resume %s goes on\n", stopped.Step, stopped.Checkpoint,
			units.Quote(cfg.Out))
	}
	if r == nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	e.printf("%s, %s: loss %.4g, accuracy %s of the paths of the last epoch\n", units.Plural(r.Steps, "step"), units.Plural(r.Paths,
		"path"),
		float64(r.TrainLoss), units.Percent(float64(r.Accuracy)))
	for _, o := range r.Operators {
		e.printf("  %s is drawn with probability %.4f in the last epoch\n", o.Name, o.Probability)
	}
	e.printVariance(r.Variance)
	e.printf("written %s in %.1f s, read back: scores of paths differ by %.3g at most\nreport: %s\n", r.Out, r.Seconds,
		float64(r.Verify.MaxAbs), r.Report)
	return err
}

// printVariance shows the last variances as shares of that of uniform sampling.
func (e *env) printVariance(list []job.NASVariance) {
	if len(list) == 0 {
		return
	}
	last := list[len(list)-1].Epoch
	base := map[bool]float64{}
	for _, v := range list {
		if v.Epoch == last && v.Law == "uniform" {
			base[v.Weighted] = float64(v.Variance)
		}
	}
	for _, v := range list {
		if v.Epoch == last && v.Law != "uniform" {
			how := "as trained"
			if v.Weighted {
				how = "weighted"
			}
			e.printf("  variance of the gradient after epoch %d, law %s, %s: %.3f of that of uniform sampling (%s)\n", last, v.Law, how,
				float64(v.Variance)/base[v.Weighted], units.Plural(v.Draws, "step"))
		}
	}
}

func nasRankCommand() *ucli.Command {
	return command(&ucli.Command{
		Name: "rank", Usage: "rank networks by what they do with the weights of a supernet",
		ArgsUsage: "SUPERNET --data SPEC --val SPEC [-o FOLDER]",
		Description: "For each network the statistics of batch normalisation are taken from --data anew, and the accuracy is measured " +
			"on --val. The\nfolder gets ranks.csv and report.html.",
		Flags: slices.Concat([]ucli.Flag{
			dataFlag(),
			&ucli.StringFlag{Name: "val", Category: "data", Usage: "data set to measure on"},
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for ranks.csv and report.html"},
			&ucli.BoolFlag{Name: "force", Usage: "write into a folder that is not empty"},
			&ucli.BoolFlag{Name: "list", Usage: "list spaces and samplers"},
			&ucli.StringFlag{Name: "arch", Usage: "the networks, as in `\"2,3,1 0,3,3\"`: an operator for each choice, by numbers or names"},
			&ucli.IntFlag{Name: "sample", Usage: "so many networks, drawn alike from all", DefaultText: "100"},
			&ucli.IntFlag{Name: "stand-alone",
				Usage: "train each by itself too, for so many `EPOCHS`, and say how far the ranks agree (Kendall's τ-b)"},
			&ucli.Float64Flag{Name: "lr", Value: 0.05, Usage: "highest learning rate of these trainings"},
			&ucli.IntFlag{Name: "bn-examples", Usage: "examples of --data that the statistics of batch normalisation are taken from",
				DefaultText: "all"},
			&ucli.IntFlag{Name: "batch-size", Value: 64, Usage: "examples at a time"},
		}, dataFlags(), preprocessFlags()),
	}, runNASRank)
}

func runNASRank(ctx context.Context, e *env, c *ucli.Context) error {
	if c.Bool("list") {
		return e.list(nasList())
	}
	path, err := oneArg(c, "the supernet")
	if err != nil {
		return err
	}
	cfg := job.NASRankConfig{Model: path, ModelOptions: e.modelOptions(c), Data: c.String("data"), Val: c.String("val"),
		DataOptions: dataOptions(c),
		Sample:      c.Int("sample"), Alone: c.Int("stand-alone"), LR: c.Float64("lr"),
		Estimate: c.Int("bn-examples"), BatchSize: c.Int("batch-size"), Out: c.String("out"),
		Force: c.Bool("force"), Seed: e.Seed}
	switch {
	case c.IsSet("sample") && cfg.Sample < 1:
		return usagef("--sample %d: want a number of networks", cfg.Sample)
	case c.IsSet("stand-alone") && cfg.Alone < 1:
		return usagef("--stand-alone %d: want a number of epochs", cfg.Alone)
	case !(cfg.LR > 0):
		return usagef("--lr %v: want a positive number", cfg.LR)
	case cfg.BatchSize < 2:
		return usagef("--batch-size %d: want 2 examples at least", cfg.BatchSize)
	case c.IsSet("arch"):
		cfg.Archs = strings.FieldsFunc(c.String("arch"), func(r rune) bool { return r == ' ' || r == ';' || r == '\n' || r == '\t' })
		if len(cfg.Archs) == 0 {
			return usagef("--arch %q: want an operator for each choice, as in 2,3,1", c.String("arch"))
		}
	}
	if cfg.Replay, err = resolvedConfig(c); err != nil {
		return err
	}
	r, err := job.NASRank(ctx, cfg, e.reporter())
	if err != nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	const most = 20
	t := e.newTable(0, 2, 3, 4, 5)
	head := []any{"rank", "architecture", "accuracy", "parameters", "multiplications"}
	if r.Alone > 0 {
		head = append(head, "by itself")
	}
	t.row(head...)
	for _, x := range r.Networks[:min(most, len(r.Networks))] {
		row := []any{x.Rank, nas.Format(x.Arch), units.Percent(float64(x.Accuracy)), units.Count(x.Parameters), units.Count(int(x.MACs))}
		if r.Alone > 0 {
			row = append(row, units.Percent(float64(x.Alone)))
		}
		t.row(row...)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if n := len(r.Networks) - most; n > 0 {
		e.printf("and %d more\n", n)
	}
	if !math.IsNaN(float64(r.Tau)) {
		e.printf("Kendall's tau with the networks by themselves: %.3f\n", float64(r.Tau))
	}
	if r.Report != "" {
		e.printf("report: %s\n", r.Report)
	}
	return nil
}

func nasExtractCommand() *ucli.Command {
	return command(&ucli.Command{
		Name: "extract", Usage: "write one network of a supernet as an ordinary model", ArgsUsage: "SUPERNET --arch OPERATORS --data " +
			"SPEC -o FILE",
		Description: "The model has the weights of the supernet and nothing but its own nodes, labels and preprocessing. Its accuracy " +
			"is that with which\n" +
			"gtk nas rank ranks it, to the last bit: the statistics of batch normalisation are taken from the same data in the same order.",
		Flags: slices.Concat([]ucli.Flag{
			dataFlag(),
			&ucli.StringFlag{Name: "val", Category: "data", Usage: "data set to measure on, too"},
			&ucli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE`.onnx to write"},
			&ucli.BoolFlag{Name: "force", Usage: "replace it"},
			&ucli.StringFlag{Name: "arch", Usage: "`OPERATORS`, one for each choice, by numbers or names with commas between"},
			&ucli.StringFlag{Name: "bn", Value: job.NASEstimated,
				Usage: "batch normalisation by statistics of --data (estimated), or by those of the batch that is fed (batch), as in " +
					"the supernet"},
			&ucli.IntFlag{Name: "bn-examples", Usage: "examples of --data that the statistics of batch normalisation are taken from",
				DefaultText: "all"},
			&ucli.IntFlag{Name: "batch-size", Value: 64, Usage: "examples at a time"},
		}, dataFlags(), preprocessFlags()),
	}, runNASExtract)
}

func runNASExtract(ctx context.Context, e *env, c *ucli.Context) error {
	path, err := oneArg(c, "the supernet")
	if err != nil {
		return err
	}
	cfg := job.NASExtractConfig{Model: path, ModelOptions: e.modelOptions(c), Arch: c.String("arch"), Data: c.String("data"),
		Val:         c.String("val"),
		DataOptions: dataOptions(c), BN: c.String("bn"), Estimate: c.Int("bn-examples"), BatchSize: c.Int("batch-size"), Out: c.String("out"),
		Force: c.Bool("force"),
		Seed:  e.Seed}
	if cfg.BatchSize < 2 {
		return usagef("--batch-size %d: want 2 examples at least", cfg.BatchSize)
	}
	r, err := job.NASExtract(ctx, cfg, e.reporter())
	if r == nil {
		return err
	}
	if err := e.emit(r); err != nil {
		return err
	}
	e.printf("%s written: %s\n  %s parameters, %s multiplications; read back: outputs differ by %.3g at most\n", r.Out, r.Operators,
		units.Count(r.Parameters), units.Count(int(r.MACs)), float64(r.Verify.MaxAbs))
	if !math.IsNaN(float64(r.Accuracy)) {
		e.printf("  accuracy %s, loss %.4g\n", units.Percent(float64(r.Accuracy)), float64(r.Loss))
	}
	return err
}
