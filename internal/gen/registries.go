package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/internal/options"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/probe"
	"github.com/gtk-onnx/gtk/prune"
	"github.com/gtk-onnx/gtk/science"
	"github.com/gtk-onnx/gtk/task"
)

func methodTable(context) (string, error) {
	t := newTable("method", "what", "where", "options", "source")
	for name, m := range explain.Methods() {
		where := "layer"
		if m.Place == explain.AtInput {
			where = "input"
		}
		var params []string
		for _, p := range m.Params {
			params = append(params, p.Name)
		}
		t.row(code(name), m.Doc, where, codes(params), source(m.Source))
	}
	return t.String(), nil
}

func methodOptions(context) (string, error) {
	t := newTable("method", "option", "default", "choices", "what")
	for name, m := range explain.Methods() {
		for _, p := range m.Params {
			t.row(code(name), code(p.Name), code(p.Default), codes(p.Choices), p.Doc)
		}
	}
	return t.String(), nil
}

func optimizerTable(context) (string, error) {
	t := newTable("rule", "what", "usual rate", "options of its own", "as a training step in ONNX", "source")
	for name, r := range optim.Rules() {
		step := "no"
		if r.Symbolic {
			step = "yes"
		}
		t.row(code(name), r.Doc, strconv.FormatFloat(r.LR, 'g', -1, 64), optionCodes(r.Options), step, source(r.Source))
	}
	return t.String(), nil
}

func evaluatingTable(context) (string, error) {
	t := newTable("rule", "what it asks for", "batch", "step length")
	for name, r := range optim.Rules() {
		if r.Evaluates == "" {
			continue
		}
		batch, length := "any", "the learning rate"
		if r.FullBatch {
			batch = "all examples"
		}
		if r.OwnLength {
			length = "its own"
		}
		t.row(code(name), r.Evaluates, batch, length)
	}
	t.row(code("--sam")+" with any other rule", "two gradients of the batch", "any", "the learning rate")
	return t.String(), nil
}

func optimizerNames(context) (string, error) {
	var names []string
	for name := range optim.Rules() {
		names = append(names, name)
	}
	return codes(names) + "\n", nil
}

// optionCodes are options with their defaults.
func optionCodes(os []optim.Option) string {
	var s []string
	for _, o := range os {
		s = append(s, code(o.Name)+" "+o.Takers[0].Default)
	}
	return strings.Join(s, ", ")
}

func optimizerOptions(context) (string, error) {
	t := newTable("option", "what", "values", "taken by")
	for _, o := range optim.Options() {
		by := "every rule"
		if !o.General {
			var names []string
			for _, t := range o.Takers {
				names = append(names, t.Rule)
			}
			by = codes(names)
		}
		values := o.Range
		switch {
		case o.Bool:
			values = "true, false"
		case len(o.Choices) > 0:
			values = strings.Join(o.Choices, ", ")
		}
		t.row(code(o.Name), o.Doc, values, by)
	}
	return t.String(), nil
}

func scheduleTable(context) (string, error) {
	t := newTable("schedule", "what", "options", "source")
	for name, s := range optim.Schedules() {
		var own []string
		for _, o := range s.Options() {
			own = append(own, fmt.Sprintf("%s (%s): %s", code(o.Name), cmp.Or(o.Default, "none"), o.Doc))
		}
		t.row(code(name), s.Doc, strings.Join(own, "<br>"), source(s.Source))
	}
	return t.String(), nil
}

func lossTable(context) (string, error) {
	t := newTable("loss", "what", "options", "source")
	for _, l := range task.Losses().Entries() {
		var opts []string
		for _, o := range options.List(l.Value()) {
			opts = append(opts, fmt.Sprintf("%s (%s): %s", code(o.Name), cmp.Or(o.Default, "none"), o.Doc))
		}
		t.row(code(l.Name), l.Doc, strings.Join(opts, "<br>"), source(l.Source))
	}
	return t.String(), nil
}

func objectiveTable(context) (string, error) {
	t := newTable("objective", "what", "options", "source")
	for _, l := range task.Objectives().Entries() {
		var opts []string
		for _, o := range task.ObjectiveOptions(l.Name) {
			doc := fmt.Sprintf("%s (%s): %s", code(o.Name), o.Default, o.Doc)
			if len(o.Choices) > 0 {
				doc += ": " + strings.Join(o.Choices, ", ")
			}
			opts = append(opts, doc)
		}
		t.row(code(l.Name), l.Doc, strings.Join(opts, "<br>"), source(l.Source))
	}
	return t.String(), nil
}

func augmentTable(context) (string, error) {
	t := newTable("augmentation", "what", "options", "source")
	for _, x := range data.Augmentations().Entries() {
		var own []string
		for _, o := range data.AugmentOptions(x.Name) {
			own = append(own, fmt.Sprintf("%s (%s): %s", code(o.Name), o.Default, o.Doc))
		}
		t.row(code(x.Name), x.Doc, strings.Join(own, "<br>"), source(x.Source))
	}
	return t.String(), nil
}

func metricsTable(context) (string, error) {
	t := newTable("metric", "what", "source")
	for _, m := range task.Metrics().Entries() {
		t.row(code(m.Name), m.Doc, source(m.Source))
	}
	return t.String(), nil
}

func scoreTable(context) (string, error) {
	t := newTable("score", "what", "source")
	for _, s := range prune.Scorers().Entries() {
		t.row(code(s.Name), s.Doc, source(s.Source))
	}
	return t.String(), nil
}

func recipeTable(context) (string, error) {
	t := newTable("experiment", "question", "paper")
	for _, r := range science.Recipes().Entries() {
		t.row("["+r.Name+"](science/"+r.Name+".md)", r.Doc, source(r.Source))
	}
	return t.String(), nil
}

func directionTable(context) (string, error) {
	t := newTable("direction", "what", "options", "source")
	for _, d := range probe.Rules().Entries() {
		var list []string
		for _, o := range options.List(d.Value()) {
			list = append(list, o.Name+"="+o.Default)
		}
		t.row(code(d.Name), d.Doc, codes(list), source(d.Source))
	}
	return t.String(), nil
}

func formatTable(context) (string, error) {
	t := newTable("format", "what", "source")
	for _, f := range data.Formats() {
		t.row(code(f.Name), f.Doc, source(f.Source))
	}
	return t.String(), nil
}

func modelTable(context) (string, error) {
	t := newTable("model", "what", "options", "source")
	for _, m := range models.Builders().Entries() {
		t.row(code(m.Name), m.Doc, codes(m.Value.Takes), source(strings.TrimSpace(m.Source)))
	}
	return t.String(), nil
}
