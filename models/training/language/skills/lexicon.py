"""The closed tables of facts: numbers, the calendar, opposites, colours, places, words to spell, names."""

UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty""".split()
TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety"}


def number_words(n):
    """-999..999 in words; below zero as "minus four"."""
    if n < 0:
        return "minus " + number_words(-n)
    if n <= 20:
        return UNITS[n]
    if n < 100:
        return TENS[n // 10 * 10] + ("" if n % 10 == 0 else " " + UNITS[n % 10])
    if n >= 1000:
        raise ValueError(f"number out of range: {n}")
    return UNITS[n // 100] + " hundred" + ("" if n % 100 == 0 else " " + number_words(n % 100))


DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = """january february march april may june july august september october november december""".split()

# Directed: a word has one opposite, though two words may share one (new and young are both the opposite of old).
OPPOSITES = {}
for _pair in """hot cold,big small,up down,left right,day night,black white,open closed,fast slow,happy sad,high low,
long short,hard soft,wet dry,light dark,early late,good bad,rich poor,strong weak,full empty,first last,near far,
clean dirty,loud quiet,thick thin,push pull,begin end,question answer,true false,in out,over under,inside outside,
front back,top bottom,north south,east west,summer winter,love hate,win lose,give take,buy sell,come go,
always never,all none,more less,many few,yes no,male female,king queen,brother sister,father mother,
man woman,boy girl,alive dead,asleep awake,beautiful ugly,brave scared,cheap expensive,deep shallow,easy difficult,
friend enemy,smooth rough,sharp blunt,sweet sour,wide narrow,young old,on off,heaven hell,
laugh cry,arrive leave,before after,above below,war peace,remember forget,
lost found,same different,safe dangerous,simple complicated,sink float,start stop,together apart,
wild tame,work play,forward backward,guilty innocent,polite rude,public private,success failure,
sunrise sunset,tight loose,teacher student,buyer seller,lock unlock,possible impossible""".replace("\n", "").split(","):
    _a, _b = _pair.split()
    OPPOSITES[_a] = _b
    OPPOSITES[_b] = _a
OPPOSITES["new"] = "old"
OPPOSITES["tall"] = "short"

COLORS = {}
for _color, _things in {
        "blue": "the sky,the sea,the ocean,a blueberry,a pair of jeans,a blue whale,a sapphire",
        "green": "grass,a frog,a leaf,a cucumber,a pea,broccoli,lettuce,a crocodile,an emerald,spinach,moss,a lime",
        "white": "snow,milk,salt,a polar bear,a swan,flour,cotton,a snowman,rice,a cloud,a ghost,chalk",
        "black": "coal,a crow,the night,a panther,oil,a tire,tar,a raven",
        "red": "blood,a strawberry,a tomato,a rose,a fire engine,a cherry,a stop sign,a ruby,a ladybug,ketchup",
        "yellow": "the sun,a banana,a lemon,butter,a duckling,a sunflower,mustard,cheese,a canary",
        "orange": "a carrot,a pumpkin,an orange,a mandarin,an apricot,a basketball",
        "brown": "chocolate,coffee,mud,a bear,a chestnut,wood,soil,a walnut,leather",
        "gray": "an elephant,a mouse,a dolphin,concrete,a shark,a rhino,ash",
        "pink": "a pig,a flamingo,bubble gum,a salmon",
        "purple": "an eggplant,a plum,lavender,a violet,a grape"}.items():
    for _thing in _things.split(","):
        COLORS[_thing] = _color
COLOR_NAMES = sorted(set(COLORS.values()))

# Places the copying skills and the memory use as words; what Wren knows of countries stands in countries.py.
COUNTRIES = """france,italy,spain,germany,england,japan,china,russia,egypt,greece,portugal,ireland,norway,sweden,poland,austria,
cuba,peru,kenya,canada,finland,denmark,hungary,turkey,iran,iraq,israel,belgium,scotland,iceland,thailand,vietnam,
australia,argentina,chile,nigeria,morocco,ukraine,romania,bulgaria,croatia,south korea""".replace("\n", "").split(",")
CITIES = """paris,rome,madrid,berlin,london,tokyo,beijing,moscow,cairo,athens,lisbon,dublin,oslo,stockholm,warsaw,vienna,havana,
lima,nairobi,ottawa,helsinki,copenhagen,budapest,ankara,tehran,baghdad,jerusalem,brussels,edinburgh,reykjavik,
bangkok,hanoi,canberra,buenos aires,santiago,abuja,rabat,kiev,bucharest,sofia,zagreb,seoul""".replace("\n", "").split(",")

SPELLING = """cat dog car bed cup hat pen fish bird book tree milk moon star ship door hand king lamp bread house water apple
green table chair mouse horse plant river stone train light garden window yellow orange school friend baby ball bank
boat box bus cake camel candle city clock cloud coffee corn cow desk dinner doctor dragon duck egg farm finger fire flag
floor fork fox frog girl glass gold grass happy heart honey ice island jacket jam juice jump key kitchen knife lemon
letter lion lunch market monkey money music name nest night number nurse ocean onion paper park pencil people piano
pig pilot pocket queen rabbit radio rain rice ring robot salt sand silver sister snake snow soap sugar summer sun
table tiger tomato town turtle uncle village winter wolf woman zebra zoo""".split()
SPELLING = list(dict.fromkeys(w for w in SPELLING if w not in ("rain", "ring")))

NAMES = """anna tom peter maria john lucy david emma jack sophie paul julia mike laura max helen ben alice sam rosa leo clara
robert linda george nina oscar susan henry kate thomas eva daniel olivia simon grace victor diana martin sandra james
lisa oliver monica kevin amy frank ruby edward holly felix irene arthur carol philip daisy steven martha hugo
barbara walter vera dennis tina boris flora""".split()

FRUITS = "apple banana cherry lemon orange peach pear plum melon grape strawberry mango".split()
ANIMALS = """cat dog horse rabbit tiger lion elephant monkey dolphin penguin zebra giraffe turtle fox wolf owl eagle
camel duck frog snake parrot""".split()
PETS = "cat dog rabbit parrot hamster pony turtle goldfish mouse snake canary lizard".split()
FOODS = "pizza pasta rice soup salad cake chocolate bread cheese chicken honey fish".split()
SPORTS = "football tennis basketball swimming hockey golf boxing skiing chess running".split()


def extra_words():
    """Words of the tables that the copying skills use as well: single words only."""
    words = UNITS + list(TENS.values()) + DAYS + MONTHS + list(OPPOSITES) + COLOR_NAMES
    words += [place for place in COUNTRIES + CITIES if " " not in place] + SPELLING + NAMES
    words += FRUITS + ANIMALS + PETS + FOODS + SPORTS
    return words
