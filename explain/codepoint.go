package explain

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
)

// Letters that no font has are drawn as a frame with their code point in it, in hexadecimal digits of 3 by 5 pixels over two rows.
const (
	codeDigitW, codeDigitH = 3, 5
	codeHeight             = 2*codeDigitH + 5 // frame and gaps of one pixel
)

// codeDigits are the hexadecimal digits, five rows of three bits, the left pixel highest.
var codeDigits = [16][codeDigitH]uint8{
	{7, 5, 5, 5, 7}, {2, 6, 2, 2, 7}, {7, 1, 7, 4, 7}, {7, 1, 3, 1, 7}, {5, 5, 7, 1, 1}, {7, 4, 7, 1, 7}, {7, 4, 7, 5, 7}, {7, 1, 2, 2, 2},
	{7, 5, 7, 5, 7}, {7, 5, 7, 1, 7}, {2, 5, 7, 5, 5}, {6, 5, 6, 5, 6}, {3, 4, 4, 4, 3}, {6, 5, 5, 5, 6}, {7, 4, 6, 4, 7}, {7, 4, 6, 4, 4},
}

// codeText is the code point of r in an even number of digits, four or more.
func codeText(r rune) string {
	s := fmt.Sprintf("%04X", r)
	if len(s)%2 == 1 {
		s = "0" + s
	}
	return s
}

// codeWidth is how wide the frame of r is.
func codeWidth(r rune) int { return len(codeText(r))/2*(codeDigitW+1) + 3 }

// drawCode draws the frame of r with its top left corner at (x,y).
func drawCode(out draw.Image, x, y int, r rune, ink color.Color) {
	src := image.NewUniform(ink)
	fill := func(x0, y0, x1, y1 int) { draw.Draw(out, image.Rect(x0, y0, x1, y1), src, image.Point{}, draw.Over) }
	w, h := codeWidth(r), codeHeight
	fill(x+1, y, x+w-1, y+1)
	fill(x+1, y+h-1, x+w-1, y+h)
	fill(x, y+1, x+1, y+h-1)
	fill(x+w-1, y+1, x+w, y+h-1)
	text := codeText(r)
	for i := range len(text) {
		var digit int
		fmt.Sscanf(text[i:i+1], "%X", &digit)
		col, row := i%(len(text)/2), i/(len(text)/2)
		left, top := x+2+col*(codeDigitW+1), y+2+row*(codeDigitH+1)
		for dy, bits := range codeDigits[digit] {
			for dx := range codeDigitW {
				if bits>>(codeDigitW-1-dx)&1 == 1 {
					fill(left+dx, top+dy, left+dx+1, top+dy+1)
				}
			}
		}
	}
}
