package drift

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"

	"levada/internal/core/stats"
)

// The domain classifier of texts is Evidently's: half of the rows of both tables, words weighted by how rare they are, and a
// linear model that learns which table a row is from. If it knows on the other half, the tables differ. Where Evidently takes
// scikit-learn's implementations, these are our own, so the areas under the curve are close, not equal.
const (
	// textAlpha weighs the penalty, textRounds bounds the passes over the rows, textPatience how many without progress end them.
	textAlpha     = 0.0001
	textRounds    = 50
	textPatience  = 5
	textTolerance = 1e-3
	// commonest is the share of rows from which on a word says nothing.
	commonest = 0.5
	// mostWords bounds the vocabulary.
	mostWords = 200_000
	// leastTexts is how many rows of each table the classifier needs.
	leastTexts = 4
)

// textDrift is the area under the ROC curve of the domain classifier, and whether it is more than the threshold; overChance whether it is
// more than what threshold (0.95) of random guesses have. That share is taken from the normal limit of a random area's distribution.
func textDrift(in *input, overChance bool, threshold float64) (auc float64, drifted bool) {
	if len(in.texts[0]) < leastTexts || len(in.texts[1]) < leastTexts {
		return math.NaN(), false
	}
	train, test := halves(in.texts, in.dice())
	w := newWords(train)
	model := &linear{weights: make([]float64, len(w.index)), loss: modifiedHuber, penalty: l1}
	model.fit(w.vectors(train), labelsOf(train), in.dice())
	var scores [2][]float64
	for i, v := range w.vectors(test) {
		s := max(-1, min(1, model.decide(v))) // the probability that modified Huber gives, up to its unit
		scores[test[i].from] = append(scores[test[i].from], s)
	}
	if len(scores[0]) == 0 || len(scores[1]) == 0 {
		return math.NaN(), false
	}
	auc = stats.AreaUnderROC(scores[0], scores[1])
	if !overChance {
		return auc, auc > threshold
	}
	n0, n1 := float64(len(scores[0])), float64(len(scores[1]))
	sd := math.Sqrt((n0 + n1 + 1) / (12 * n0 * n1))
	return auc, auc > 0.5+stats.NormalQuantile(threshold)*sd
}

type row struct {
	text string
	from int
}

// halves mixes the rows of both tables and parts them.
func halves(texts [2][]string, dice *stats.Dice) (train, test []row) {
	var all []row
	for from, list := range texts {
		for _, t := range list {
			all = append(all, row{t, from})
		}
	}
	dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:len(all)/2], all[len(all)/2:]
}

// labelsOf says for each row whether it is from the current table.
func labelsOf(rows []row) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = 2*float64(r.from) - 1
	}
	return out
}

// words are a vocabulary, with a weight for each word: 1 + ln((1 + rows) / (1 + rows with it)).
type words struct {
	index  map[string]int
	weight []float64
}

func newWords(rows []row) *words {
	in := map[string]int{}
	for _, r := range rows {
		seen := map[string]bool{}
		eachWord(r.text, func(word string) {
			if !seen[word] && (len(in) < mostWords || in[word] > 0) {
				seen[word] = true
				in[word]++
			}
		})
	}
	w := &words{index: map[string]int{}}
	names := make([]string, 0, len(in))
	for word, n := range in {
		if float64(n) <= commonest*float64(len(rows)) {
			names = append(names, word)
		}
	}
	slices.Sort(names)
	for i, word := range names {
		w.index[word] = i
		w.weight = append(w.weight, 1+math.Log(float64(1+len(rows))/float64(1+in[word])))
	}
	return w
}

// eachWord calls do for each word of two or more letters or digits, in lower case, that is not too common to say something.
func eachWord(text string, do func(word string)) {
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }) {
		if len(word) < 2 {
			continue
		}
		if word = strings.ToLower(word); !stopWords[word] {
			do(word)
		}
	}
}

// stopWords are English words without a meaning of their own.
var stopWords = func() map[string]bool {
	out := map[string]bool{}
	for word := range strings.FieldsSeq(`a about above after again all also am an and any are as at be because been before being below between
		both but by can could did do does doing down during each either else ever every few for from further get go had has have
		having he her here hers herself him himself his how however i if in into is it its itself just least less many may me might
		mine more most much must my myself neither never no nor not nothing now of off often on once one only or other others our
		ours ourselves out over own per perhaps please quite rather same she should since so some still such than that the their
		theirs them themselves then there these they this those though through thus to together too toward under until up upon us
		very via was we well were what when where whether which while who whom whose why will with within without would yet you
		your yours yourself yourselves`) {
		out[word] = true
	}
	return out
}()

// entry is a part of a vector that is not zero.
type entry struct {
	at    int
	value float64
}

// vectors are rows as weights of words (1 + ln(count), times the word's weight), of length 1.
func (w *words) vectors(rows []row) [][]entry {
	out := make([][]entry, len(rows))
	for i, r := range rows {
		counts := map[int]float64{}
		eachWord(r.text, func(word string) {
			if at, known := w.index[word]; known {
				counts[at]++
			}
		})
		length := 0.0
		for at, n := range counts {
			v := (1 + math.Log(n)) * w.weight[at]
			length += v * v
			out[i] = append(out[i], entry{at, v})
		}
		length = math.Sqrt(length)
		slices.SortFunc(out[i], func(a, b entry) int { return cmp.Compare(a.at, b.at) })
		for k := range out[i] {
			out[i][k].value /= length
		}
	}
	return out
}
