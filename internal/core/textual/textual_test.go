package textual

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"levada/internal/core/table"
)

func added(texts ...string) *State {
	s := New(1)
	for _, t := range texts {
		s.Add(t, table.HashText(t), 1)
	}
	return s
}

func TestPersonalDataIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"write to ann.lee+shop@mail.example.org.": Email,
		"<a@b.co>":                    Email,
		"+49 30 901820":               Phone,
		"call (212) 555-0187 now":     Phone,
		"415-555-2671":                Phone,
		"1-800-555-0199":              Phone,
		"4111 1111 1111 1111":         CreditCard,
		"card:5500005555555559;":      CreditCard,
		"3782-822463-10005":           CreditCard,
		"DE89 3704 0044 0532 0130 00": IBAN,
		"gb82west12345698765432":      IBAN,
		"from 192.168.0.1 at noon":    IPAddress,
		"2001:db8::8a2e:370:7334":     IPAddress,
		"ssn 123-45-6789":             USSSN,
	} {
		var found string
		kind := personal(text, func(_ kinds, f string) { found = f })
		var names []string
		for k := range PersonalKinds {
			if kind&(1<<k) != 0 {
				names = append(names, PersonalKinds[k])
			}
		}
		if got := strings.Join(names, ","); got != want {
			t.Errorf("%q is %q (%q), want %q", text, got, found, want)
		}
	}
}

func TestWhatOnlyLooksALittleLikePersonalDataIsNone(t *testing.T) {
	for _, text := range []string{
		"", "N12345", "2013-01-31", "2013-01-31 05:17:00", "12:34:56", "1234567890123456", "4111 1111 1111 1112", "0000 0000 0000 0000",
		"DE89 3704 0044 0532 0130 01", "XX82WEST12345698765432", "256.1.1.1", "1.2.3", "1.2.3.4.5", "v1.2.3.4-rc1x", "000-12-3456", "666-12-3456",
		"912-12-3456", "123-45-67890", "9.123-45-6789.1", "@home", "a@b", "a@@b.co", "user@localhost", "1e10", "3.14159265358979",
		"550e8400-e29b-41d4-a716-446655440000", "978-3-16-148410-0", "00:1A:2B:3C:4D:5E", "100-200-3000x", "+12", "+0123456789", "12,345,678.90",
		"std::vector::size", "a:b:c:d",
	} {
		if kind := personal(text, nil); kind != 0 {
			t.Errorf("%q is said to be personal data (%b)", text, kind)
		}
	}
}

func TestValuesOfPersonalDataAreNeverShown(t *testing.T) {
	s := added("mail jane.doe@example.org please", "4111 1111 1111 1111", "123-45-6789")
	text, err := json.Marshal(s.Summary(0))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"jane", "doe", "4111", "6789"} {
		if strings.Contains(string(text)+string(stored), secret) {
			t.Errorf("%q is shown in %s %s", secret, text, stored)
		}
	}
	if got := Mask("ask jane.doe@example.org"); got != "xxx xxxx.xxx@xxxxxxx.xxx" {
		t.Errorf("masked: %q", got)
	}
	if got := Mask("nothing here"); got != "nothing here" {
		t.Errorf("masked: %q", got)
	}
}

func TestLanguagesAreTold(t *testing.T) {
	for text, want := range map[string]string{
		"The trains that leave from this station are often late in winter":                    "en",
		"Die Züge, die von diesem Bahnhof abfahren, sind im Winter oft nicht pünktlich":       "de",
		"Les trains qui partent de cette gare sont souvent en retard dans les mois d'hiver":   "fr",
		"Los trenes que salen de esta estación llegan tarde con frecuencia en el invierno":    "es",
		"Os comboios que partem desta estação não chegam a horas durante o inverno":           "pt",
		"I treni che partono da questa stazione sono spesso in ritardo nella stagione fredda": "it",
		"De treinen die van dit station vertrekken zijn in de winter vaak niet op tijd":       "nl",
		"Pociągi, które odjeżdżają z tego dworca, zimą często się spóźniają":                  "pl",
		"Поезда, которые отправляются с этого вокзала, зимой часто опаздывают":                "ru",
		"Потяги, які відправляються з цього вокзалу, взимку часто запізнюються і їх чекають":  "uk",
		"この駅を出る電車は冬によく遅れます":                                                                   "ja",
		"从这个车站开出的火车冬天经常晚点":                                                                    "zh",
		"이 역에서 출발하는 기차는 겨울에 자주 늦습니다":                                                          "ko",
		"Τα τρένα που φεύγουν από αυτόν τον σταθμό":                                           "el",
		"12345 67890": "", "": "", "ok": "", "71fc657bbb53e55b691ae0bcad aceb09eabcdfe12": "", "SKU_the_of_and_to_in_is": "",
	} {
		if got := Language(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestNearDuplicatesAreCounted(t *testing.T) {
	long := "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty and so on"
	s := added(long, strings.ToUpper(long), long+" indeed", "a completely different sentence that has more than ten words in it as well", "short")
	got := s.Summary(0).Near
	if got == nil || got.Texts != 2 || got.Of != 4 || !got.All || len(got.Pairs) != 2 {
		t.Errorf("%+v", got)
	}
}

func TestTheSampleIsTheSameInAnyOrderAndWhenMerged(t *testing.T) {
	a, b, whole := New(1), New(1), New(1)
	for i := range 50_000 {
		text := fmt.Sprintf("the number of this and that text is %d", i)
		hash := table.HashText(text)
		whole.Add(text, hash, 1)
		if part := a; i%2 == 1 {
			part = b
			part.Add(text, hash, 1)
		} else {
			part.Add(text, hash, 1)
		}
	}
	a.Merge(b)
	one, two := whole.Summary(3), a.Summary(3)
	one.Near, two.Near = nil, nil
	if d := cmp.Diff(one, two); d != "" {
		t.Error(d)
	}
	if len(whole.sample) > mostSampled || !one.Sampled || one.Languages[0].Language != "en" {
		t.Errorf("%d in the sample, %+v", len(whole.sample), one)
	}
	stored, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	read, ok := Read(stored)
	if !ok {
		t.Fatal("a stored state is not read")
	}
	if d := cmp.Diff(one, read.Summary(3)); d != "" {
		t.Error(d)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"a@b.co", "+49 30 901820", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "::1", "123-45-6789", "(212) 555-0187", "the \xff of"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		added(s, s+" "+s).Summary(0)
		if len(s) < 1000 && personal(Mask(s), nil)&(isCard|isIBAN|isSSN|isPhone|isIP) != 0 {
			t.Errorf("%q is masked as %q", s, Mask(s))
		}
	})
}
