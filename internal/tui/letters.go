package tui

import "strings"

// pictures are letters of five rows, "#" is ink. The digit 0 has a stroke, so that it is not the letter O.
var pictures = map[rune]string{
	'A': ".##. #..# #### #..# #..#",
	'B': "###. #..# ###. #..# ###.",
	'C': ".### #... #... #... .###",
	'D': "###. #..# #..# #..# ###.",
	'E': "#### #... ###. #... ####",
	'F': "#### #... ###. #... #...",
	'G': ".### #... #.## #..# .###",
	'H': "#..# #..# #### #..# #..#",
	'I': "### .#. .#. .#. ###",
	'J': "..## ...# ...# #..# .##.",
	'K': "#..# #.#. ##.. #.#. #..#",
	'L': "#... #... #... #... ####",
	'M': "#...# ##.## #.#.# #...# #...#",
	'N': "#...# ##..# #.#.# #..## #...#",
	'O': ".##. #..# #..# #..# .##.",
	'P': "###. #..# ###. #... #...",
	'Q': ".##. #..# #..# #.#. .#.#",
	'R': "###. #..# ###. #.#. #..#",
	'S': ".### #... .##. ...# ###.",
	'T': "##### ..#.. ..#.. ..#.. ..#..",
	'U': "#..# #..# #..# #..# .##.",
	'V': "#...# #...# #...# .#.#. ..#..",
	'W': "#...# #...# #.#.# ##.## #...#",
	'X': "#...# .#.#. ..#.. .#.#. #...#",
	'Y': "#...# .#.#. ..#.. ..#.. ..#..",
	'Z': "#### ...# .##. #... ####",
	'0': ".###. #..## #.#.# ##..# .###.",
	'1': ".#. ##. .#. .#. ###",
	'2': "###. ...# .##. #... ####",
	'3': "###. ...# .##. ...# ###.",
	'4': "#..# #..# #### ...# ...#",
	'5': "#### #... ###. ...# ###.",
	'6': ".### #... ###. #..# .##.",
	'7': "#### ...# ..#. .#.. .#..",
	'8': ".##. #..# .##. #..# .##.",
	'9': ".##. #..# .### ...# ###.",
	'-': "... ... ### ... ...",
}

// letters draws s in three lines, two rows of a picture to a line. ok is false when a letter has no picture.
func letters(s string) (lines [3]string, ok bool) {
	var b [3]strings.Builder
	for i, r := range strings.ToUpper(s) {
		picture, known := pictures[r]
		if !known {
			return lines, false
		}
		rows := append(strings.Fields(picture), "")
		for line := range b {
			if i > 0 {
				b[line].WriteByte(' ')
			}
			for column := range rows[0] {
				b[line].WriteRune(block(ink(rows[2*line], column), ink(rows[2*line+1], column)))
			}
		}
	}
	for line := range b {
		lines[line] = b[line].String()
	}
	return lines, s != ""
}

func ink(row string, column int) bool { return column < len(row) && row[column] == '#' }

// block is the character that has ink in its upper or lower half.
func block(upper, lower bool) rune {
	switch {
	case upper && lower:
		return '█'
	case upper:
		return '▀'
	case lower:
		return '▄'
	}
	return ' '
}
