/** Where a person comes from: what names and addresses look like, in which script, and what the clock shows. */
export interface Culture {
  /** BCP 47. */
  readonly language: string
  readonly languageName: string
  /** ISO 3166, two letters. */
  readonly country: string
  /** Minutes ahead of UTC, the whole year round. */
  readonly zone: number
  readonly familyFirst?: true
  readonly families: readonly string[]
  readonly women: readonly string[]
  readonly men: readonly string[]
  readonly cities: readonly string[]
  readonly streets: readonly string[]
  /** `#` stands for a digit in this and in `phone`. */
  readonly postalCode: string
  readonly phone: string
}

/** With the share of each, in percent. */
export const CULTURES: readonly (readonly [share: number, culture: Culture])[] = [
  [
    28,
    {
      ...{ language: 'en-US', languageName: 'English', country: 'US', zone: -300 },
      families: list(
        "Smith, Johnson, O'Connor, Garcia, Washington, Fitzgerald-Jones, Miller, McAllister, Hill",
      ),
      women: list('Mary, Patricia, Jennifer, Linda, Grace, Hannah, Olivia, Zoe, Emily'),
      men: list('James, Robert, Michael, William, Ethan, Noah, Lucas, Henry, Jack'),
      cities: list('Springfield, Portland, Cambridge, Ann Arbor, Santa Fe'),
      streets: list('Main Street, Oak Avenue, Elm Street Apt #12, Martin Luther King Jr. Blvd'),
      ...{ postalCode: '0####', phone: '+1-555-01##' },
    },
  ],
  [
    9,
    {
      ...{ language: 'de-DE', languageName: 'German', country: 'DE', zone: 60 },
      families: list('Müller, Schröder, Weiß, Jäger, Köhler, von Gößnitz, Voß'),
      women: list('Käthe, Änne, Sabine, Ursula, Liselotte'),
      men: list('Jürgen, Björn, Günther, Max, Sönke'),
      cities: list('Köln, Düsseldorf, Würzburg, Görlitz'),
      streets: list('Königstraße, Mühlenweg, Schloßallee, An der Brücke'),
      ...{ postalCode: '5####', phone: '+49 30 23125 ###' },
    },
  ],
  [
    9,
    {
      ...{ language: 'fr-FR', languageName: 'French', country: 'FR', zone: 60 },
      families: list("Lefèvre, D'Amboise, Lemaître, Noël, Bélanger, L'Œuvre, Garçon"),
      women: list('Zoé, Hélène, Françoise, Maëlys, Anaïs'),
      men: list('François, Théo, Jérôme, Loïc, Noël'),
      cities: list('Besançon, Orléans, Nîmes, Saint-Étienne'),
      streets: list("rue de l'Hôpital, avenue du Maréchal, place de la République, impasse d'Été"),
      ...{ postalCode: '7####', phone: '+33 1 99 00 ## ##' },
    },
  ],
  [
    6,
    {
      ...{ language: 'pl-PL', languageName: 'Polish', country: 'PL', zone: 60 },
      families: list('Wiśniewska, Wójcik, Żółć, Łukaszewicz, Dąbrowski, Brzęczyszczykiewicz'),
      women: list('Małgorzata, Łucja, Żaneta, Świętosława'),
      men: list('Stanisław, Łukasz, Święcisław, Grzegorz'),
      cities: list('Łódź, Gdańsk, Kraków, Częstochowa'),
      streets: list('ulica Świętokrzyska, ulica Źródlana, aleja Róż'),
      ...{ postalCode: '9#-###', phone: '+48 22 555 ## ##' },
    },
  ],
  [
    6,
    {
      ...{ language: 'vi-VN', languageName: 'Vietnamese', country: 'VN', zone: 420, familyFirst: true },
      families: list('Nguyễn, Trần, Phạm, Huỳnh, Đặng, Võ'),
      women: list('Thị Hương, Ánh Nguyệt, Mỹ Linh, Thảo'),
      men: list('Văn Đức, Quốc Hùng, Minh Tuấn, Hữu Phước'),
      cities: list('Hà Nội, Đà Nẵng, Cần Thơ, Huế'),
      streets: list('Đường Lê Lợi, Phố Hàng Bạc, Đường Nguyễn Huệ'),
      ...{ postalCode: '1#####', phone: '+84 24 5550 ####' },
    },
  ],
  [
    6,
    {
      ...{ language: 'el-GR', languageName: 'Greek', country: 'GR', zone: 120 },
      families: list('Παπαδόπουλος, Γεωργίου, Οικονόμου, Καραγιάννης, Ψαρράς'),
      women: list('Ελένη, Αικατερίνη, Σοφία, Ζωή'),
      men: list('Γεώργιος, Κωνσταντίνος, Νικόλαος, Ξενοφών'),
      cities: list('Αθήνα, Θεσσαλονίκη, Πάτρα, Ηράκλειο'),
      streets: list('Οδός Ερμού, Λεωφόρος Συγγρού, Οδός Ακαδημίας'),
      ...{ postalCode: '1## ##', phone: '+30 21 0555 ####' },
    },
  ],
  [
    7,
    {
      ...{ language: 'uk-UA', languageName: 'Ukrainian', country: 'UA', zone: 120 },
      families: list("Шевченко, Коваленко, Мар'яненко, Їжакевич, Щербак, Ґудзь"),
      women: list('Оксана, Людмила, Єлизавета, Надія'),
      men: list('Тарас, Володимир, Євген, Юрій'),
      cities: list('Київ, Львів, Чернівці, Запоріжжя'),
      streets: list('вулиця Хрещатик, проспект Перемоги, Андріївський узвіз'),
      ...{ postalCode: '0####', phone: '+380 44 555 ## ##' },
    },
  ],
  [
    7,
    {
      ...{ language: 'ar-EG', languageName: 'Arabic', country: 'EG', zone: 120 },
      families: list('الحسن, عبد الرحمن, المصري, الخوري, بن يوسف'),
      women: list('فاطمة, مريم, ليلى, نور الهدى'),
      men: list('محمد, أحمد, يوسف, عمر'),
      cities: list('القاهرة, الإسكندرية, أسوان, الجيزة'),
      streets: list('شارع التحرير, شارع النيل, طريق المطار'),
      ...{ postalCode: '1####', phone: '+20 2 5550 ####' },
    },
  ],
  [
    5,
    {
      ...{ language: 'he-IL', languageName: 'Hebrew', country: 'IL', zone: 120 },
      families: list('כהן, לוי, מזרחי, בן־דוד, פרידמן'),
      women: list('שרה, רחל, נועה, תמר'),
      men: list('דוד, משה, יוסף, איתן'),
      cities: list('ירושלים, תל אביב-יפו, חיפה, באר שבע'),
      streets: list('רחוב הרצל, שדרות רוטשילד, רחוב ז׳בוטינסקי'),
      ...{ postalCode: '9######', phone: '+972 2-555-####' },
    },
  ],
  [
    7,
    {
      ...{ language: 'hi-IN', languageName: 'Hindi', country: 'IN', zone: 330 },
      families: list('शर्मा, सिंह, गुप्ता, त्रिपाठी, कृष्णमूर्ति'),
      women: list('लक्ष्मी, प्रिया, सावित्री, आयुषी'),
      men: list('राम, अर्जुन, कृष्ण, श्रीनिवास'),
      cities: list('दिल्ली, मुंबई, वाराणसी, जयपुर'),
      streets: list('महात्मा गांधी मार्ग, स्टेशन रोड, नेहरू नगर'),
      ...{ postalCode: '11####', phone: '+91 11 5550 ####' },
    },
  ],
  [
    5,
    {
      ...{ language: 'zh-CN', languageName: 'Chinese', country: 'CN', zone: 480, familyFirst: true },
      families: list('王, 李, 张, 欧阳, 𠮷'),
      women: list('秀英, 丽, 静怡, 雨桐'),
      men: list('伟, 强, 子轩, 浩宇'),
      cities: list('北京市, 上海市, 成都市, 广州市'),
      streets: list('长安街, 南京路, 人民大道'),
      ...{ postalCode: '10####', phone: '+86 10 5555 ####' },
    },
  ],
  [
    3,
    {
      ...{ language: 'ja-JP', languageName: 'Japanese', country: 'JP', zone: 540, familyFirst: true },
      families: list('佐藤, 髙橋, 渡邉, サトウ, 小鳥遊'),
      women: list('花子, さくら, 美咲, 陽菜'),
      men: list('太郎, 翔太, ケンジ, 蓮'),
      cities: list('東京都千代田区, 大阪市北区, 札幌市'),
      streets: list('丸の内一丁目, 梅田三丁目, 大通西'),
      ...{ postalCode: '1##-####', phone: '+81 3-5550-####' },
    },
  ],
  [
    2,
    {
      ...{ language: 'ko-KR', languageName: 'Korean', country: 'KR', zone: 540, familyFirst: true },
      families: list('김, 이, 박, 남궁, 황보'),
      women: list('서연, 지우, 민서, 하늘'),
      men: list('민준, 서준, 도윤, 지호'),
      cities: list('서울특별시, 부산광역시, 제주시'),
      streets: list('세종대로, 해운대로, 종로'),
      ...{ postalCode: '0####', phone: '+82 2-555-####' },
    },
  ],
]

function list(names: string): readonly string[] {
  return names.split(', ')
}
