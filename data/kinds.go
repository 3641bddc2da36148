package data

import (
	"bytes"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// fileKind is a format of picture files.
type fileKind struct {
	name  string
	exts  []string
	magic func(head []byte) bool // nil: known by its name only
	read  bool                   // this package decodes it
}

// readable is the kinds that are read, for messages.
const readable = "png, jpeg, webp, bmp, tiff, gif and pnm (ppm, pgm, pbm, pam)"

// fileKinds is the formats of pictures that are known, those first that are read. AVIF, HEIC and JPEG XL have no decoder in pure Go:
// those that exist run C as WebAssembly, which adds 7 MiB to the binary and links it dynamically unless built with a tag.
var fileKinds = []*fileKind{
	{"png", []string{".png", ".apng"}, startsWith("\x89PNG\r\n\x1a\n"), true},
	{"jpeg", []string{".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".jif", ".pjpeg", ".pjp"}, startsWith("\xFF\xD8\xFF"), true},
	{"webp", []string{".webp"}, func(h []byte) bool { return len(h) >= 12 && string(h[:4]) == "RIFF" && string(h[8:12]) == "WEBP" }, true},
	{"gif", []string{".gif"}, startsWith("GIF87a", "GIF89a"), true},
	{"bmp", []string{".bmp", ".dib"}, func(h []byte) bool { // the size of the second header tells it from text
		return len(h) >= 18 && string(h[:2]) == "BM" && slices.Contains([]byte{12, 40, 52, 56, 64, 108, 124}, h[14]) &&
			h[15]|h[16]|h[17] == 0
	}, true},
	{"tiff", []string{".tif", ".tiff"}, startsWith("II*\x00", "MM\x00*"), true},
	{"pnm", []string{".ppm", ".pgm", ".pbm", ".pnm", ".pam"}, func(h []byte) bool {
		return len(h) >= 3 && h[0] == 'P' && h[1] >= '1' && h[1] <= '7' && isSpace(h[2])
	}, true},
	{"avif", []string{".avif", ".avifs"}, brands("avif", "avis"), false},
	{"heic", []string{".heic", ".heif", ".hif"}, brands("heic", "heix", "hevc", "hevx", "heim", "heis", "hevm", "hevs", "mif1",
		"msf1"), false},
	{"jpeg 2000", []string{".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".jpm"},
		startsWith("\x00\x00\x00\x0CjP  \r\n\x87\n", "\xFF\x4F\xFF\x51"), false},
	{"jpeg xl", []string{".jxl"}, startsWith("\x00\x00\x00\x0CJXL \r\n\x87\n", "\xFF\x0A"), false},
	{"big tiff", []string{".btf", ".tf8"}, startsWith("II+\x00", "MM\x00+"), false},
	{"camera raw", []string{".raw", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf",
		".pef", ".srw", ".3fr", ".erf", ".kdc", ".mrw", ".rwl", ".x3f"}, nil, false},
	{"icon", []string{".ico", ".cur"}, startsWith("\x00\x00\x01\x00", "\x00\x00\x02\x00"), false},
	{"targa", []string{".tga"}, nil, false},
	{"svg", []string{".svg", ".svgz"}, func(h []byte) bool { return bytes.Contains(h, []byte("<svg")) }, false},
	{"photoshop", []string{".psd", ".psb"}, startsWith("8BPS"), false},
	{"openexr", []string{".exr"}, startsWith("\x76\x2F\x31\x01"), false},
	{"radiance", []string{".hdr"}, startsWith("#?RADIANCE", "#?RGBE"), false},
	{"pfm", []string{".pfm"}, startsWith("PF\n", "Pf\n"), false},
	{"dds", []string{".dds"}, startsWith("DDS "), false},
	{"qoi", []string{".qoi"}, startsWith("qoif"), false},
	{"xcf", []string{".xcf"}, startsWith("gimp xcf"), false},
	{"dicom", []string{".dcm", ".dicom"}, func(h []byte) bool { return len(h) >= 132 && string(h[128:132]) == "DICM" }, false},
	{"fits", []string{".fits", ".fit"}, startsWith("SIMPLE  ="), false},
}

func startsWith(prefixes ...string) func([]byte) bool {
	return func(h []byte) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return len(h) >= len(p) && string(h[:len(p)]) == p })
	}
}

// brands recognises a file of boxes by its major or compatible brands.
//
// Source: ISO/IEC 14496-12, section 4.3 (file type box).
func brands(names ...string) func([]byte) bool {
	return func(h []byte) bool {
		if len(h) < 16 || string(h[4:8]) != "ftyp" {
			return false
		}
		n := min(int(h[3])|int(h[2])<<8, len(h))
		for at := 8; at+4 <= n; at += 4 {
			if at != 12 && slices.Contains(names, string(h[at:at+4])) {
				return true
			}
		}
		return false
	}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// sniffed is the number of bytes that sniff looks at.
const sniffed = 256

// sniff is the kind of a file that begins with head, nil when it is no picture.
func sniff(head []byte) *fileKind {
	head = head[:min(len(head), sniffed)]
	for _, k := range fileKinds {
		if k.magic != nil && k.magic(head) {
			return k
		}
	}
	return nil
}

// sniffFile is the kind of a file by its content; nil also when it cannot be read.
func sniffFile(path string) *fileKind {
	f, err := regular.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	head := make([]byte, sniffed)
	n, _ := io.ReadFull(f, head) // a short file is fine
	return sniff(head[:n])
}

// kindByName is the kind of a file by its extension, nil when it is not that of a picture.
func kindByName(path string) *fileKind {
	ext := strings.ToLower(filepath.Ext(path))
	for _, k := range fileKinds {
		if slices.Contains(k.exts, ext) {
			return k
		}
	}
	return nil
}

// kindOf is the kind of picture that the content of a file is, which wins over its name. Camera raw files are TIFF files whose first
// picture is a small preview: they go by their name.
func kindOf(name string, file []byte) *fileKind {
	byName, k := kindByName(name), sniff(file)
	if k == nil && (byName == nil || byName.magic == nil) || k != nil && k.name == "tiff" && byName != nil && byName.name == "camera raw" {
		return byName
	}
	return k
}
