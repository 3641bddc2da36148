package explain

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFileName(t *testing.T) {
	for _, tc := range []struct {
		parts []string
		want  string
	}{
		{[]string{"cat", "gradcam", "layer4.1/relu:0"}, "cat.gradcam.layer4.1_relu_0"},
		{[]string{"../../etc/passwd", "m"}, "_.._etc_passwd.m"},
		{[]string{"", "..", "é"}, "_._.é"},
		{[]string{"smooth-gradcam++-n=8", "a b"}, "smooth-gradcam++-n=8.a b"},
		{[]string{"東京 猫", "Größe, cm (1)", "ñ&!'#"}, "東京 猫.Größe, cm (1).ñ&!'#"},
		{[]string{"e\u0301"}, "é"}, // one form of the same letter
		{[]string{"a\\b|c?d*e\"f<g>h:i"}, "a_b_c_d_e_f_g_h_i"},
		{[]string{"tab\tnul\x00\x7f"}, "tab_nul__"},
		{[]string{"no\xffutf8"}, "no_utf8"},
		{[]string{" .hidden. "}, "hidden"},
		{[]string{"nul", "gradcam"}, "_nul.gradcam"},
		{[]string{"COM1.x"}, "_COM1.x"},
		{[]string{"com", "nul"}, "com.nul"}, // only the first part names a device
		{[]string{"console"}, "console"},
	} {
		got := FileName(tc.parts...)
		if got != tc.want {
			t.Errorf("%q: %q, want %q", tc.parts, got, tc.want)
		}
		if strings.ContainsAny(got, `/\:*?"<>|`) || !utf8.ValidString(got) {
			t.Errorf("%q is no file name", got)
		}
	}
	for _, long := range []string{strings.Repeat("x", 1000), strings.Repeat("猫", 1000)} {
		part := FileName(long)
		if len(part) > maxPart || !utf8.ValidString(part) || !strings.Contains(part, "_") {
			t.Errorf("a long name becomes %q", part)
		}
		if n := len(FileName(long, long, long, "class1000000") + "-1000.original.json"); n > 255 {
			t.Errorf("a name of long parts has %d bytes", n)
		}
	}
}

func TestStem(t *testing.T) {
	for _, tc := range [][2][]string{
		{{"a/cat.jpg", "b/Cat.png", "cat.gif"}, {"cat", "Cat-2", "cat-3"}},
		{{"x-2.png", "x.png", "x.png"}, {"x-2", "x", "x-3"}},
		{{"é.png", "e\u0301.png"}, {"é", "é-2"}}, // one file on macOS
		{{"sample 0.5", "v1.2 final cut", ".jpg", "dir/.."}, {"sample 0.5", "v1.2 final cut", "jpg", "_"}},
		{{"photo.2024.jpeg", "x.tar.gz", `C:\pictures\dog.webp`}, {"photo.2024", "x.tar", "C__pictures_dog"}},
	} {
		w := Writer{}
		for i, name := range tc[0] {
			if got := w.stem(name); got != tc[1][i] {
				t.Errorf("%v: the stem of %q is %q, want %q", tc[0], name, got, tc[1][i])
			}
		}
	}
}
