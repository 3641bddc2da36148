package data

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/lazy"
)

var (
	commaNumber = lazy.Regexp(`^[-+]?(\d+,\d*|,\d+)([eE][-+]?\d+)?$`)
	commaOrNot  = lazy.Regexp(`^[-+]?[1-9]\d{0,2},\d{3}$`) // 1,234 is 1.234 or 1234
	unitNumber  = lazy.Regexp(`^[-+]?[$€£¥₹]\s?[-+]?\d[\d.,]*$|^[-+]?\d[\d.,]*\s?[%$€£¥₹]$`)
	thousands   = lazy.Regexp(`^[-+]?\d{1,3}([,.' \x{a0}\x{2019}\x{202f}]\d{3})+([.,]\d+)?$`)
)

// isNumber reports whether s is a number with a decimal point.
func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// decimalComma reports whether s is a number with a decimal comma.
func decimalComma(s string) bool { return commaNumber().MatchString(s) }

// missing reports whether s stands for a value that is not there.
func missing(s string) bool {
	return slices.Contains([]string{"", "na", "n/a", "n.a.", "#n/a", "<na>", "null", "none", "?", "-", ".",
		"#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!"}, strings.ToLower(s))
}

// isNumber reports whether s is a number as this table writes them.
func (t *table) isNumber(s string) bool {
	if isNumber(s) {
		return t.mark != ',' || !strings.Contains(s, ".")
	}
	return t.mark != '.' && decimalComma(s) && (t.mark == ',' || !commaOrNot().MatchString(s))
}

// decimals finds the decimal mark from the rows that are known: 0 where none of them tells. Where commas separate the columns, a point
// anywhere is the mark, and a field such as "1,5" is something else.
func (t *table) decimals() byte {
	var point, comma bool
	for _, r := range t.sample {
		for _, s := range r.fields {
			comma = comma || decimalComma(s) && !commaOrNot().MatchString(s)
			point = point || strings.Contains(s, ".") && isNumber(s)
		}
	}
	switch {
	case comma && !(point && t.rows.Comma == ','):
		return ','
	case point:
		return '.'
	}
	return 0
}

// parse is the number in column c of a row. What is no number is refused with the reason.
func (t *table) parse(row []string, c int) (float64, error) {
	s := row[c]
	if t.flags[c] != nil && !absent(s) {
		return t.flag(row, c)
	}
	fail := func(remedy, format string, args ...any) (float64, error) {
		return 0, malformed(t.path, t.place(c), remedy, format, args...)
	}
	if missing(s) {
		return fail(fillIn, "missing value")
	}
	v, err := strconv.ParseFloat(s, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		if strings.Contains(s, ".") {
			if t.mark == ',' {
				return fail("write all numbers with one decimal mark and without thousands separators",
					"%q has a point where others have a decimal comma", clip(s))
			}
			t.mark = '.'
		}
		return v, nil
	}
	const bare = "write numbers without thousands separators and with a decimal point"
	switch {
	case decimalComma(s) && t.mark == '.':
		return fail(bare, "%q has a comma where others have a decimal point", clip(s))
	case commaOrNot().MatchString(s) && t.mark == 0:
		return fail("?decimal=, behind the file name says that the comma is that of decimals; else remove it",
			"%q is a thousand or a fraction", clip(s))
	case decimalComma(s):
		t.mark = ','
		v, _ := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64) // infinite when out of range
		return v, nil
	case unitNumber().MatchString(s):
		return fail(bare+", its unit in the header; or name the column with --group-by if it is no feature", "%q is a number with a unit",
			clip(s))
	case thousands().MatchString(s):
		return fail(bare, "%q has thousands separators", clip(s))
	}
	return fail("the column holds numbers elsewhere; correct the value, or name the column with --group-by if it is no feature",
		"%q is not a number", clip(s))
}

// fillIn is the remedy for missing values.
const fillIn = "fill the value in, or say ?missing=drop, mean or zero behind the file name"

// filled is number, where missing values may have something in their place.
func (t *table) filled(row []string, c int, g *gaps, o Options) (float64, error) {
	if v, ok := g.fill(row, c); ok {
		return v, nil
	}
	v, err := t.number(row, c, o)
	if err == nil {
		g.seen(c, v)
	}
	return v, err
}

// number is the feature in column c of a row, finite as float32 unless o allows other values.
func (t *table) number(row []string, c int, o Options) (float64, error) {
	if o.AllowNonFinite && missing(row[c]) {
		return nan, nil
	}
	v, err := t.parse(row, c)
	if err != nil {
		return 0, err
	}
	if f := float64(float32(v)); f-f != 0 && !o.AllowNonFinite {
		remedy := "remove or replace the value"
		if absent(row[c]) {
			remedy = fillIn
		}
		return 0, malformed(t.path, t.place(c), remedy, "%q is not a finite float32", clip(row[c]))
	}
	return v, nil
}

// holds says what column c holds in the rows that are known: numbers (or true and false) or texts, whichever are more. Numbers that cannot
// be read for sure are refused here, since they would pass for texts.
func (t *table) holds(c int) (numbers bool, err error) {
	if t.flags[c] != nil {
		return true, nil
	}
	if t.typed != nil {
		return !t.typed.texts[c], nil
	}
	n, odd, all := 0, 0, 0
	oddRow := 0
	for k, r := range t.sample {
		if c >= len(r.fields) || missing(r.fields[c]) {
			continue
		}
		all++
		switch s := r.fields[c]; {
		case t.isNumber(s):
			n++
		case thousands().MatchString(s), decimalComma(s), unitNumber().MatchString(s):
			if odd++; odd == 1 {
				oddRow = k
			}
		}
	}
	if odd > 0 && n+odd == all {
		line := t.line
		t.line = t.sample[oddRow].line
		_, err := t.parse(t.sample[oddRow].fields, c)
		if t.line = line; err != nil {
			return false, err
		}
	}
	return 2*n >= all, nil
}
