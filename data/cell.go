package data

import (
	"slices"
	"strconv"
	"strings"
)

// formulas are what text begins with that a spreadsheet takes for a formula, or skips before one.
var formulas = []string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"}

// EncodeCell is text as a cell of a csv that people may open in a spreadsheet: where it could be taken for a formula it stands behind an
// apostrophe, which spreadsheets take for the sign of a text. Numbers stay as they are. DecodeCell takes it away.
//
// Source: https://owasp.org/www-community/attacks/CSV_Injection.
func EncodeCell(s string) string {
	if formula(s) {
		return "'" + s
	}
	return s
}

// DecodeCell is the text that EncodeCell made s of.
func DecodeCell(s string) string {
	if rest, ok := strings.CutPrefix(s, "'"); ok && formula(rest) {
		return rest
	}
	return s
}

// formula reports whether s could be taken for a formula, or is one behind apostrophes already, so that one more can be told from them.
func formula(s string) bool {
	s = strings.TrimLeft(s, "'")
	if !slices.ContainsFunc(formulas, func(p string) bool { return strings.HasPrefix(s, p) }) {
		return false
	}
	if strings.Trim(s, "0123456789.eE+-") != "" {
		return true
	}
	_, err := strconv.ParseFloat(s, 64)
	return err != nil
}
