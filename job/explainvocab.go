package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gtk-onnx/gtk/internal/regular"
)

// byteVocab is the name of the vocabulary whose tokens are the bytes of the text.
const byteVocab = "bytes"

// readVocab reads the tokens of a text by number: one a line (vocab.txt, or SentencePiece's .vocab with a score after a tab), a JSON array,
// a JSON object of numbers by token (vocab.json), or a tokenizer.json. Pieces in the alphabet of byte-level BPE and the blanks of
// SentencePiece become the text that they stand for.
//
// Source: https://huggingface.co/docs/tokenizers/api/models; byte-level alphabet: https://github.com/openai/gpt-2, bytes_to_unicode.
func readVocab(path string) ([]string, error) {
	switch path {
	case "":
		return nil, nil
	case byteVocab:
		out := make([]string, 256+4) // numbers behind those of bytes, such as padding, stand for no text
		for i := range 256 {
			if out[i] = string(rune(i)); i >= utf8.RuneSelf {
				out[i] = fmt.Sprintf("\\x%02x", i)
			}
		}
		return out, nil
	}
	b, err := regular.Read(path, maxVocab)
	if err != nil {
		return nil, fmt.Errorf("--vocab: %w", err)
	}
	text := strings.TrimPrefix(string(b), "\ufeff")
	var out []string
	switch start := strings.TrimSpace(text); {
	case start == "":
		err = fmt.Errorf("the file is empty")
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		err = fmt.Errorf("it is no text: want one token a line, vocab.json or tokenizer.json")
	case strings.Count(text, "\n") > maxTokens || strings.Count(text, `"`) > 4*maxTokens: // a token or a merge in JSON has two to four
		err = fmt.Errorf("more than %d tokens", maxTokens)
	case start[0] == '{' && json.Valid([]byte(start)):
		out, err = jsonVocab([]byte(start))
	case start[0] == '[' && json.Valid([]byte(start)):
		err = json.Unmarshal([]byte(start), &out)
	default:
		out = lineVocab(text)
	}
	if err != nil {
		return nil, badInput(fmt.Errorf("--vocab %s: %w", path, err))
	}
	return spoken(out), nil
}

// lineVocab is a token a line; where all lines have a number after a tab, it is left out.
func lineVocab(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, strings.TrimRight(line, "\r\n"))
	}
	scored := !slices.ContainsFunc(out, func(s string) bool {
		i := strings.LastIndexByte(s, '\t')
		_, err := strconv.ParseFloat(s[i+1:], 64)
		return i < 0 || err != nil
	})
	for i, s := range out {
		if scored {
			out[i] = s[:strings.LastIndexByte(s, '\t')]
		}
	}
	return out
}

// maxVocab is how large a file of tokens may be, in bytes: that of a quarter of a million tokens with their merges has 35 MB.
const maxVocab = 64 << 20

// maxTokens is the largest number of tokens that a vocabulary may have.
const maxTokens = 1 << 22

// jsonVocab reads numbers by token, or a tokenizer.json with such an object, or pairs of token and score, under model.vocab.
func jsonVocab(b []byte) ([]string, error) {
	var file struct {
		Model struct {
			Vocab json.RawMessage `json:"vocab"`
		} `json:"model"`
		Added []struct {
			ID      int    `json:"id"`
			Content string `json:"content"`
		} `json:"added_tokens"`
	}
	ids := map[string]int{}
	want := fmt.Errorf("want an object of numbers by token, or a tokenizer.json with model.vocab")
	if json.Unmarshal(b, &file) != nil || file.Model.Vocab == nil {
		if json.Unmarshal(b, &ids) != nil {
			return nil, want
		}
	} else if json.Unmarshal(file.Model.Vocab, &ids) != nil {
		var pairs [][]any
		if err := json.Unmarshal(file.Model.Vocab, &pairs); err != nil {
			return nil, want
		}
		for i, p := range pairs {
			if len(p) == 0 {
				return nil, want
			}
			if s, ok := p[0].(string); ok {
				ids[s] = i
			}
		}
	}
	for _, a := range file.Added {
		ids[a.Content] = a.ID
	}
	var out []string
	for s, i := range ids {
		if i < 0 || i >= maxTokens {
			return nil, fmt.Errorf("token %q has the number %d", s, i)
		}
		if i >= len(out) {
			out = append(out, make([]string, i+1-len(out))...)
		}
		out[i] = s
	}
	return out, nil
}

// spoken are tokens as the text that they stand for.
func spoken(tokens []string) []string {
	const bpe, piece = "\u0120", "\u2581" // a blank in byte-level BPE and in SentencePiece
	begins := func(mark string) bool {
		return slices.ContainsFunc(tokens, func(s string) bool { return strings.HasPrefix(s, mark) && len(s) > len(mark) })
	}
	switch {
	case begins(piece):
		for i, s := range tokens {
			tokens[i] = strings.ReplaceAll(s, piece, " ")
		}
	case begins(bpe):
		of := byteAlphabet()
		for i, s := range tokens {
			var b []byte
			for _, r := range s {
				c, ok := of[r]
				if !ok {
					b = nil // a token that is written as it is
					break
				}
				b = append(b, c)
			}
			if b != nil && utf8.Valid(b) {
				tokens[i] = string(b)
			}
		}
	}
	return tokens
}

// byteAlphabet are the bytes by the letter that stands for each in byte-level BPE: itself where it can be seen, else the next letter after
// 255.
func byteAlphabet() map[rune]byte {
	of := map[rune]byte{}
	next := rune(256)
	for c := range rune(256) {
		if c >= '!' && c <= '~' || c >= 0xa1 && c <= 0xac || c >= 0xae {
			of[c] = byte(c)
		} else {
			of[next] = byte(c)
			next++
		}
	}
	return of
}
