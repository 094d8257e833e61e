package slack

import "strings"

// table writes rows of cells as preformatted text: the first column to the left, the others to the right, two spaces between.
// Slack shows it in a fixed font, and so does a terminal.
func table(rows [][]string) string {
	return "```\n" + strings.Join(tableLines(rows, widths(rows)), "\n") + "\n```"
}

// maxCell is the widest cell, in columns.
const maxCell = 28

// widths are those of the columns.
func widths(rows [][]string) []int {
	var out []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(out) {
				out = append(out, 0)
			}
			out[i] = max(out[i], columns(cell(c)))
		}
	}
	return out
}

// tableLines are the rows, escaped.
func tableLines(rows [][]string, widths []int) []string {
	out := make([]string, len(rows))
	for n, row := range rows {
		var b strings.Builder
		for i, c := range row {
			c = cell(c)
			pad := strings.Repeat(" ", max(widths[i]-columns(c), 0))
			if i == 0 {
				b.WriteString(c + pad)
			} else {
				b.WriteString("  " + pad + c)
			}
		}
		out[n] = mrkdwn.Replace(strings.TrimRight(b.String(), " "))
	}
	return out
}

// cell is a text as it stands in a table: one line that cannot end the preformatted text.
func cell(s string) string {
	s = strings.ReplaceAll(clean(s), "`", "ˋ")
	if columns(s) <= maxCell {
		return s
	}
	return fit(s, maxCell-1) + "…"
}
