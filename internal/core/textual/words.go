package textual

// marks are what a language in Latin, Cyrillic or Devanagari letters is known by: its most frequent small words, endings of its words,
// and letters that few others have.
type marks struct {
	language, words, endings, letters string
}

var latin = []marks{
	{"en", "the of and to in is that it for was on are as with his they at be this have from or had by but not what all were we when your can said there an which their if will each about how up out them then she many some so these would other into has more her two him see could no than been its who now my made over did down only way find use may you please must do does", "ing tion ed ly ness ould ould ght", ""},
	{"de", "der die das und ist in den von zu mit sich des auf für nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei kann wenn wir ich bitte diese dieser dieses muss müssen keine ihre ihr", "ung ungen lich isch keit heit ieren ern chen schaft", "äöüß"},
	{"fr", "le la les de des du et un une est que qui dans en pour pas sur par plus au aux ce il elle ne se son sa ses avec sont cette ou mais comme nous vous tout on leur être fait été aussi bien sans peut ces entre deux même veuillez votre vos cet aucun doit n'est d'un d'une l'on", "tion ment eux euse ique eur aient ois ez", "éèàçœêùâîô"},
	{"es", "el la los las de del y que en un una es por con no para se su al lo como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso ha son fue puede debe", "ción ciones mente dad ido ado ando aje", "ñ¿¡áéíóú"},
	{"pt", "o a os as de do da dos das e que em um uma é por com não para se no na mais como mas foi ao ele seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos ter seus quem nas me esse eles você essa num nem suas à pode deve são", "ção ções mente dade ido ando agem ões", "ãõçáéíóúâê"}, //nolint:misspell // Portuguese
	{"it", "il lo la i gli le di del della dei delle e che in un una è per con non si da al come più ma anche sono su questo questa nel nella ha o se ci alla dal ai mi suo sua essere stato tra lei molto quando ogni tutti dopo così solo puoi deve può perché quello", "zione zioni mente ità ato ata ando tore aggio", "àèéìòù"},
	{"nl", "de het een en van in is dat op te zijn met voor niet aan er die om ook als dan maar bij of uit nog worden door naar heeft hij ze wordt was tot je kan deze over zo meer wat geen moet we u dit werd hebben veel al wel kunnen onder waar ik mijn", "heid lijk ingen eren isch tie baar", ""},
	{"sv", "och att det i en på är som för av med den till inte om ett har de jag var sig så från vi kan man när han nu under också eller men sin där efter vid mot ska skulle alla mycket hade detta du blev några måste finns får din vara denna inga kunde annat mellan gör mer annan något vilket vill blivit dem dina gånger in nya utan samma ingen", "ning ningar het ande lig iska erna arna else heten elser tion", "åäö"},
	{"da", "og at det i en på er som for af med den til ikke om et har de jeg var sig så fra vi kan man når han nu under også eller men sin hvor efter ved mod skal skulle alle meget havde dette du blev nogle blive være der kun skal ud hvis denne ingen kunne andet mellem gør mere findes anden noget hvilket burde vil blevet dem dine gange ind nye uden samme", "ning hed ende lig iske erne else ede igt hedens elser", "æøå"},
	{"nb", "og at det i en på er som for av med den til ikke om et har de jeg var seg så fra vi kan man når han nå under også eller men sin hvor etter ved mot skal skulle alle mye hadde dette du ble noen bli være der bare ut hvis denne må ingen kunne annet mellom gjør mer finnes annen noe hvilket vil blitt dem dine ganger inn nye uten samme", "ning het ende lig iske ene else heten elser sjon", "æøå"},
	{"fi", "ja on ei että se hän oli ovat joka mutta kun niin kuin myös sen hänen tai jos vain ole ne mitä tämä voi olla jo sekä kanssa mukaan ennen jälkeen siitä jonka eivät tämän ollut nyt minä sinä he tulee täytyy tätä anna jotka kuitenkin vielä hyvin niiden sitä tässä kaikki vähintään sinun et olet olevan jolla ettei siis", "ssa ssä sta stä lla llä lta inen minen een iin uus isuus ksi tään taan itä ista istä ien jen vat vät maan mään lle aan ään utta yttä", "äö"},
	{"is", "og að í er á sem til um var ekki við en af það fyrir með hann ég því þess þar eða hafa sé þú þegar einnig frá eftir yfir verður má", "num inn ur legur ingar", "þðæö"},
	{"pl", "i w na z do nie się to jest że o za od po jak co tak ale przez dla czy są tym ten jego był było być może lub oraz który która które przy tego jej już ich tylko bardzo gdy także pod bez musi proszę nie ta", "ość ania enie owy owa ego ych ować", "łżśźęąńó"},
	{"cs", "a v na se je že s z o do i to ve pro by za od po jako k jsou byl ale být které který která jeho nebo jen až tak již při má jsem není také ze bylo co jsme ke tento tato toto musí", "ost ání ení ový ého ých ovat", "ěřůčšžýáíé"},
	{"sk", "a v na sa je že s z o do i to vo pre by za od po ako k sú bol ale byť ktoré ktorý ktorá jeho alebo len až tak už pri má som nie je aj zo bolo čo sme ku tento táto toto musí", "osť anie enie ový ého ých ovať", "ľĺŕôčšžýáíéť"},
	{"hu", "a az és hogy nem is egy van ez volt meg azt de csak már ha mint vagy el ki még kell sem fel akkor azonban lehet minden ezt után majd amely ami pedig lesz be több itt ott ne", "ság ség ban ben nak nek ból ből hoz hez tás tés", "őűáéíóöü"},
	{"ro", "și de în a la cu pe este nu o că din un pentru mai se care sunt au fi sau după prin fost ca al ale ce lui dar a fost le toate când această acest între până poate trebuie fie", "ție ții ului elor ilor are eală esc", "șțăţşâî"},
	{"tr", "ve bir bu için ile da de olarak daha çok olan gibi kadar sonra ne var ancak en her o ya ama değil mi ise olduğu veya ki tarafından göre olur lütfen bunu", "lar ler lık lik dır dir ması mesi yor ının inin", "ğışöüç"},
	{"id", "yang dan di ke dari untuk dengan ini itu pada adalah dalam tidak akan juga oleh atau sebagai telah ada dapat bisa karena saat tersebut mereka kita saya anda harus lebih lain bagi hanya setelah sudah seperti", "kan nya annya", ""},
	{"vi", "và của là có không được cho các một trong với người này đã những để khi ra từ về đến như trên thì hoặc phải bạn vào nhiều cũng tại", "", "ơưđạảấầẩậắằặẹẻẽếềểệịọỏốồổộớờởợụủứừửữựỳỵỷỹ"},
	{"et", "ja on ei et see oli ka kui või mis aga oma ta nii selle mida ning siis kuid veel olid seda tema välja pärast ole kas peab võib peale kõik selles saab teie uus enne nende mitte ainult pole teda seal", "mine sse des ust vad ega iline mise ste tud dud nud tav ks", "õäöü"},
	{"lv", "un ir ar no uz par ka kas tas kā bet nav vai pēc tika arī to lai šī šis var tā pie bija viņš jau ja līdz kad būt gan ļoti lūdzu", "šana ība ums iem ām ajā", "āēīķļņģšž"},
	{"lt", "ir yra kad tai su iš į ne buvo kaip bet arba per už jo apie po kuri kuris jau tik dėl prie gali būti šis ši nuo kai iki taip dar turi", "imas ybė ių ais oje uose", "ėųįšžčū"},
	{"hr", "i u je na da se za su od s o kao što koji koja koje iz ili do bi nije ali te po ne to sve biti kako ima mogu može nakon samo još prema kod bio bila ovaj ova morate više nisu će vaš vaše nema unesite možete molimo", "nost anje enje ski ima iti ati nja no ova ni jte", "đčćšž"},
	{"sl", "in je v na da se za so s z ki kot od o pa po iz ali ne bi tudi pri do ni to bil bila lahko še več ter kako vse samo ko ta mora biti med niso bo vaš vaše nima vnesite prosimo katero", "nost anje enje ski ega iti ati nja nje no na ov ni", "čšž"},
	{"ca", "el la els les de del dels i que en un una és per amb no a al se ha com més però seu seva són o aquest aquesta entre quan molt sense sobre també fins hi on des tot ser va pel si ja pot heu cal", "ció cions ment tat itat", "ŀàèéíòóúç·"},
	{"sq", "dhe në e të i një për që me nga se është si nuk më u ka do ka janë por ky kjo ishte mund duhet ose nëse", "ve imit shme ore", "ëç"},
	{"eu", "eta da ez bat du dira ere zen dute izan baina hau hori beste bere edo egin dago baino den zuen behar", "tzen aren etan rekin koa", ""},
	{"ga", "agus an na is ar i go a ní sé tá le do bhí sin mar nach leis seo ag ach de as faoi bheith", "acht adh ann aithe", "áéíóú"},
	{"cy", "y yr yn a i o ar ei mae bod wedi am gan fod eu neu ond fel hyn oedd nid cael rhaid", "odd wyd iad iau", "ŵŷ"},
	{"af", "die en van in is nie het vir dat met op te wat hy sy aan ook as deur maar kan word was ons hulle om of uit jou moet hierdie 'n geldige sal ander al baie slegs kies hê hul waarde indien", "heid lik ing de te ies ende", ""},
	{"sw", "ya na wa kwa ni katika la za cha kuwa hii huo hiyo wake au yake kama lakini pia baada watu kutoka sana hakuna tafadhali kila tu mwa bila zaidi", "ishwa iwa isha sha nisha", ""},
	{"az", "və bir bu üçün ilə də da olan daha kimi sonra hər o amma deyil ya olaraq edilir lazımdır edin siz sizin ola yalnız başqa heç yox düzgün olmalıdır ola", "lar lər lıq lik dir dır ının ın in un ün dən dan ması məsi", "əöüçğış"},
	{"eo", "la kaj de en estas ne ke por al kun el li ĝi pri sed tiu ĉi aŭ oni devas vi", "oj ojn ajn ita", "ĉĝĥĵŝŭ"},
}

var cyrillic = []marks{
	{"ru", "и в не на что с как это по но из у за от же для все или так его был если уже при она они бы мы вы быть когда только", "ость ение ание ется ого ный ать", "ыэё"},
	{"uk", "і в не на що з як це та але із за від для всі або так його був якщо вже при вона вони ми ви бути коли тільки є до немає лише ваш може треба щоб чи буде цей ця ці", "ість ення ання ється ого ний ати ти ка но ою", "іїєґ"},
	{"be", "і ў не на што з як гэта па але за ад для ўсе або так яго быў калі ўжо пры яна яны мы вы быць толькі няма ваш можа трэба каб ці", "асць енне анне ецца ага ны аць ць аў ах", "ўіыэё"},
	{"bg", "и в не на че с как това по но от за да се е са или така при като ще беше който която може през след трябва", "ост ение ане ият ията ване", "ъ"},
	{"sr", "и у је на да се за су од с као што који која које из или до би није али не то све бити како може само више ће ваш ваше нема унесите молимо већ мора", "ост ање ење ски ити ати ња но ова ни јте", "ђјљњћџ"},
	{"mk", "и во не на дека со како тоа по но од за да се е се или при ќе беше кој која може преку мора", "ост ење ање ата от", "ѓќѕјљњџ"},
	{"kk", "және бұл бір үшін мен да де бар емес деп ол болып керек немесе дұрыс тек осы кейін дейін бойынша болуы қажет болады", "дар дер лар лер ның нің ған ген тар тер ды ді ың ің ады еді", "әғқңөұүһыі"},
	{"mn", "ба нь бол энэ юм байна гэж тул болон хэрэгтэй уу байх байгаа болно бус дээр нэг таны хийх эсвэл энэхүү аль хамгийн их та", "аас ийн ууд ын үүд сан сэн гүй ээр аар лаа лэг лт", "өүыэё"},
}

var devanagari = []marks{
	{"hi", "है के में का की को से और एक पर यह नहीं हैं कि लिए इस था भी ने हो कर या", "", ""},
	{"mr", "आहे आणि च्या ते हे एक नाही होते तो या ती मध्ये होता आहेत करण्यात", "", "ळ"},
	{"ne", "छ को र मा हो छन् गर्न यो पनि भएको लागि एक वा हुन्छ गर्नुहोस् छैन गरिएको गर्नका तथा हुनुपर्छ मान्य", "", ""},
}

var arabic = []marks{
	{"ar", "في من على إلى أن هذا هذه التي الذي لا ما مع عن كان قد أو هو هي كل بعد", "", "ةىأإ"},
	{"fa", "در به از که این را با است برای آن یک می ها خود تا بر هم شد شود باید", "", "پچژگکی"},
	{"ur", "ہے کے میں کی کا اور سے کو اس پر یہ نے ہیں کہ ایک نہیں بھی درست یا کوئی ہو آپ لیے جو کیا گیا تو کر دیں برائے تھا", "", "ٹڈڑںےہپچگکی"},
}
