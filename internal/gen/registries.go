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
	t := newTable("rule", "what", "usual rate", "options of its own", "source")
	for name, r := range optim.Rules() {
		t.row(code(name), r.Doc, strconv.FormatFloat(r.LR, 'g', -1, 64), codes(r.Options), source(r.Source))
	}
	return t.String(), nil
}

func optimizerOptions(context) (string, error) {
	t := newTable("option", "what", "taken by")
	for _, o := range optim.Options() {
		by := "every rule"
		if !o.General {
			var names []string
			for name, r := range optim.Rules() {
				for _, own := range r.Options {
					if own == o.Name {
						names = append(names, name)
					}
				}
			}
			by = codes(names)
		}
		t.row(code(o.Name), o.Doc, by)
	}
	return t.String(), nil
}

func scheduleTable(context) (string, error) {
	t := newTable("schedule", "what", "source")
	for name, s := range optim.Schedules() {
		t.row(code(name), s.Doc, source(s.Source))
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
