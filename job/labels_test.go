package job_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/gtk-onnx/gtk/job"
)

// utf16le is s as Windows' Notepad saves it.
func utf16le(s string) string {
	b := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func TestReadLabels(t *testing.T) {
	want := []string{"cat", "dog", "bird"}
	for name, text := range map[string]string{
		"lines.txt":        "cat\ndog\nbird\n",
		"windows.txt":      "\ufeffcat\r\ndog\r\nbird",
		"mac.txt":          "cat\rdog\rbird",
		"notepad.txt":      utf16le("cat\r\ndog\r\nbird\r\n"),
		"wordnet.txt":      "n02123045 cat\nn02084071 dog\nn01503061 bird",
		"numbered.txt":     "0 cat\n1 dog\n2 bird\n",
		"colons.txt":       "2: bird\n0: cat\n1: dog\n",
		"commas.txt":       "0,cat\n1,dog\n2,bird\n",
		"tabs.txt":         "0\tcat\n1\tdog\n2\tbird\n",
		"array.json":       `["cat","dog","bird"]`,
		"id2label.json":    `{"0":"cat","1":"dog","2":"bird"}`,
		"config.json":      `{"architectures":["ViT"],"num_labels":3,"id2label":{"1":"dog","0":"cat","2":"bird"},"label2id":{"cat":0,"dog":1,"bird":2}}`,
		"label2id.json":    `{"label2id":{"cat":0,"dog":1,"bird":2}}`,
		"keras.json":       `{"bird":2,"cat":0,"dog":1}`,
		"imagenet.json":    `{"0":["n02123045","cat"],"1":["n02084071","dog"],"2":["n01503061","bird"]}`,
		"magika.json":      `{"target_labels_space":["cat","dog","bird"]}`,
		"yolo.json":        `{"nc":3,"names":{"0":"cat","1":"dog","2":"bird"}}`,
		"plain.csv":        "0,cat\n1,dog\n2,bird\n",
		"headed.csv":       "index,mid,display_name\n0,/m/a,cat\n1,/m/b,dog\n2,/m/c,bird\n",
		"semicolons.csv":   "id;name\n2;bird\n0;cat\n1;dog\n",
		"odd heading.csv":  "nr,Klasse\n0,cat\n1,dog\n2,bird\n",
		"one column.csv":   "name\ncat\ndog\nbird\n",
		"no heading.csv":   "cat\ndog\nbird\n",
		"wordnet.csv":      "n02123045,cat\nn02084071,dog\nn01503061,bird\n",
		"quoted.tsv":       "name\tid\n\"cat\"\t0\ndog\t1\nbird\t2\n",
		"name, number.csv": "cat,0\nbird,2\ndog,1\n",
	} {
		got, err := job.ReadLabels(file(t, name, text))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"names with numbers.txt": {"7 up\n99 bottles\n", []string{"7 up", "99 bottles"}},
		"numbers alone.txt":      {"1\n2\n3\n", []string{"1", "2", "3"}},
		"names with commas.txt": {"n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n",
			[]string{"tench, Tinca tinca", "goldfish, Carassius auratus"}},
		"an empty name.txt": {"cat\n\ndog\n", []string{"cat", "", "dog"}},
	} {
		if got, err := job.ReadLabels(file(t, name, c.text)); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestReadLabelsErrors(t *testing.T) {
	for name, c := range map[string][2]string{
		"empty.txt":        {" \n", "the file is empty"},
		"binary.txt":       {"a\x00b", "not a text"},
		"from one.txt":     {"1 cat\n2 dog\n3 bird\n", "counted from 0"},
		"gap.json":         {`{"0":"cat","2":"bird"}`, "number 1 is missing"},
		"twice.json":       {`{"cat":0,"dog":0}`, "the number 0 comes twice"},
		"other.json":       {`{"a":{"b":1}}`, `"a" is`},
		"null.json":        {`{"0":null}`, "null"},
		"numbers.json":     {`[1,2]`, "not one of names"},
		"broken.json":      {`{"0":`, "no JSON"},
		"no object.json":   {`{}`, "empty"},
		"config.json":      {`{"id2label":{"a":"cat"}}`, `under "id2label"`},
		"which.csv":        {"a,b\nc,d\n", "call it name"},
		"no rows.csv":      {"id,name\n", "no rows"},
		"ragged.csv":       {"0,tench, Tinca\n1,dog\n", "wrong number of fields"},
		"numbers by x.csv": {"id,name\n0,cat\nx,dog\n", "not the number of a class"},
	} {
		_, err := job.ReadLabels(file(t, name, c[0]))
		if err == nil || !strings.Contains(err.Error(), c[1]) || !strings.Contains(err.Error(), "an array of names") {
			t.Errorf("%s: %v, want %q and the forms", name, err, c[1])
		}
		if job.KindOf(err) != job.KindInput {
			t.Errorf("%s: kind %v", name, job.KindOf(err))
		}
	}
}

func file(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
