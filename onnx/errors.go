package onnx

import (
	"strings"

	"github.com/gtk-onnx/gtk/internal/shown"
)

// A FormatError reports that the input is not valid ONNX.
type FormatError struct {
	File  string // path of the file, "" when not read from one
	Where string // place in the model, for example `node "layer1.conv" (Conv): attribute pads`
	Msg   string
}

// Error is "onnx: file: place: message".
func (e *FormatError) Error() string { return errorText(e.File, e.Where, e.Msg) }

// An UnsupportedError reports that the input uses a valid but unimplemented feature.
type UnsupportedError struct {
	File    string // as in FormatError
	Where   string // as in FormatError
	Feature string // what is not supported, and what to do
}

// Error is "onnx: file: place: unsupported feature: feature".
func (e *UnsupportedError) Error() string {
	return errorText(e.File, e.Where, "unsupported feature: "+e.Feature)
}

func errorText(file, where, msg string) string {
	var b strings.Builder
	b.WriteString("onnx: ")
	for _, s := range []string{file, where} {
		if s != "" {
			b.WriteString(shown.Line(s, 600))
			b.WriteString(": ")
		}
	}
	b.WriteString(shown.Line(msg, 1200))
	return b.String()
}

// inFile puts the name of the file into an error of this package.
func inFile(err error, file string) error {
	switch e := err.(type) {
	case *FormatError:
		e.File = file
	case *UnsupportedError:
		e.File = file
	}
	return err
}

// at puts the place into an error of this package, in front of the place that is there.
func at(err error, where string) error {
	join := func(inner string) string {
		if inner == "" {
			return where
		}
		return where + ": " + inner
	}
	switch e := err.(type) {
	case *FormatError:
		return &FormatError{e.File, join(e.Where), e.Msg}
	case *UnsupportedError:
		return &UnsupportedError{e.File, join(e.Where), e.Feature}
	}
	return err
}
