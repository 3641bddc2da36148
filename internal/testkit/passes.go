package testkit

import (
	"strconv"
	"strings"
	"testing"
)

// passesAbout begins the table of passes.
const passesAbout = `What the tests check of each operator. One line is one definition, with the versions that it is for;
"gtk." are private ones.
suite     cases of the official suite that use the operator and pass
cases     small problems, in one element type each, that agree with the oracle, with one thread and two, planned and not
first     ... whose gradient agrees with differences of the oracle; of a private operator: gradients that it is part of
second    ... whose gradient of the gradient does; of a private operator: those whose sweep went through it
example   ... inputs whose per-example gradient or norm agrees with batches of one; of a private operator: those that it is part of
lowered   ... whose lowering agrees with the oracle
exported  ... whose gradient, in ONNX's operators, agrees; of a private operator: gradients in which it was written so
A number that differs from this table, either way, fails a test.`

// passesCommand writes the table.
const passesCommand = "go test -p 1 ./engine ./engine/ops -run '^(TestOfficialSuite|TestOperators)$' -update"

// CheckPasses compares y with the table of passes at path, engine/testdata/passes.txt.
func CheckPasses(t testing.TB, y *Tally, path string) {
	t.Helper()
	y.Check(t, path, passesAbout+"\nWritten by: "+passesCommand, passesCommand)
}

// PassesRow names an operator in the table of passes: one definition of it, by the versions that it is for.
func PassesRow(domain, name string, since []int) string {
	if domain != "" {
		name = domain + "." + name
	}
	var versions []string
	for _, v := range since {
		versions = append(versions, strconv.Itoa(v))
	}
	return name + "-" + strings.Join(versions, ",")
}
