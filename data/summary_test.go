package data

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

func TestSummaryOfTargetsAndFields(t *testing.T) {
	nan32 := float32(math.NaN())
	allow := Options{AllowNonFinite: true}
	s := Summarise(must(openArrays(t, "", allow, named("ids", tensor.From([]int64{3, 1, 2, 7}, 2, 2)),
		named("w", tensor.From([]float32{1, nan32}, 2)),
		named("y", tensor.From([]float32{1, 10, 2, nan32}, 2, 2))))(t), 0)
	ids := s.Fields["ids"]
	if s.Shape != nil || fmt.Sprintln(ids.Shape, ids.DType, ids.Min, ids.Max, ids.Mean) != "[2] int64 1 7 3.25\n" ||
		s.Fields["w"].NaN != 1 || len(s.NonFinite) != 1 {
		t.Errorf("fields %+v, non-finite %v", s.Fields, s.NonFinite)
	}
	if fmt.Sprintln(s.Targets, s.TargetDType) != "[2] float32\n" || s.TargetValues[0].Mean != 1.5 || s.TargetValues[1].Max != 10 ||
		s.TargetValues[1].NaN != 1 || s.Unlabeled != 0 {
		t.Errorf("targets %+v", s)
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
	s = Summarise(must(readTable(t, "f,cat,dog\n1,1,0\n2,1,0\n3,0,0\n", Options{LabelColumn: "cat,dog"}))(t), 0)
	if !maps.Equal(s.LabelCounts, map[string]int{"cat": 2, "dog": 0}) || s.PerClass != nil || s.Positions != nil || s.Unlabeled != 0 ||
		len(s.Warnings) != 0 {
		t.Errorf("labels %+v", s)
	}
	s = Summarise(must(openArrays(t, "", Options{}, named("x", tensor.From([]int64{3, 1, 2, 7}, 2, 2)),
		named("y", tensor.From([]int64{0, 5, NoLabel, 5}, 2, 2))))(t), 0)
	if !maps.Equal(s.Positions, map[string]int{"0": 1, "5": 2}) || s.Ignored != 1 || s.TargetDType != "int64" {
		t.Errorf("positions %+v", s)
	}
	s = Summarise(must(openArrays(t, "", Options{}, named("x", tensor.New(tensor.Uint8, 2, 2, 2)),
		named("y", tensor.From([]uint8{0, 1, 1, 255, 0, 0, 0, 0}, 2, 2, 2))))(t), 0)
	if !maps.Equal(s.Positions, map[string]int{"0": 5, "1": 2}) || s.Ignored != 1 || !s.Masks || s.Unlabeled != 0 || !s.Pictures {
		t.Errorf("masks %+v", s)
	}
	if !strings.Contains(strings.Join(s.Warnings, "\n"), "taken for grey pictures") {
		t.Errorf("notes %q", s.Warnings)
	}
	s = Summarise(must(openSeries(t, hours(30), "?in=3&out=2&target=c", Options{}))(t), 0)
	if len(s.TargetValues) != 1 || s.TargetValues[0].Max != 2900 || s.TargetValues[0].Min != 300 {
		t.Errorf("forecast %+v", s.TargetValues)
	}
	s = Summarise(must(readTable(t, "one,two,k\n1,5,x\n2,5,y\n", Options{}))(t), 0)
	if !strings.Contains(strings.Join(s.Warnings, "\n"), "1 feature has the same value in all examples that were read: two") {
		t.Errorf("warnings %q", s.Warnings)
	}
}

func TestCheckOfMasks(t *testing.T) {
	x, y := named("x", tensor.New(tensor.Uint8, 2, 2, 2)), named("y", tensor.New(tensor.Uint8, 2, 2, 2))
	if err := Check(must(openArrays(t, "", Options{}, x, y))(t)); err != nil {
		t.Error(err)
	}
	if err := Check(must(openArrays(t, "", Options{}, x))(t)); err == nil {
		t.Error("pictures alone pass the check")
	}
}
