"""The broad vocabulary of the skills that copy: several hundred nouns, adjectives, verbs and small words.

Words that sound alike (`sea` and `see`) never stand here together: a listener could not tell them apart in a bare
list. tests/training/test_grammar.py holds the size; homophones were removed with flite's pronunciations.
"""

NOUNS = """
actor air alarm album alley angel animal ankle answer apple apron arch arm army arrow artist attic autumn baby
badge bag bakery balcony ball balloon banana bandage bank barn basement basket bath battery beach bean beard bed bedroom bee
beetle bell belt bench bicycle bill bird birthday biscuit blanket block blouse board boat body bone book boot border bottle
bottom bowl box boy branch bread breakfast brick bridge broom brother brush bubble bucket building bullet bus bush butcher
butter butterfly button cabbage cabin cable cage cake calendar camel camera camp canal candle candy cap captain car card carpet
carrot castle cat cave ceiling century chain chair chalk cheese chef cherry chicken child chimney chin chocolate church circle
circus city clay clerk cliff clock cloth cloud clown club coast coat coconut coffee coin color comb computer concert cook
cookie copper corner cotton couch country cousin cow cowboy crab cream crown cucumber cup cupboard curtain cushion
dad dance danger daughter dentist desk diamond dinner dirt dish doctor dog doll dolphin donkey door dragon drawer dream dress
driver drum duck dust eagle ear earth east edge egg elbow elephant engine envelope evening eye face factory family farm
farmer father feather fence field finger fire fish flag flame floor flute fly fog food foot forest fork fountain fox
frame friend frog fruit garage garden garlic gas gate ghost giant gift giraffe girl glass glove glue goat gold goose
grandfather grandmother grape grass ground group guard guitar hall hammer hand harbor hat head heart helmet
herb hill holiday honey hook horn horse hospital hotel house husband ice idea insect iron island jacket jail jam
jar jewel job judge juice jungle kettle key kid king kiss kitchen kite kitten knee knife ladder lady lake lamb lamp
language laundry lawyer leaf leather leg lemon letter library light lion lip lizard lunch machine magazine magnet
man map market mask match meadow medicine melon metal milk mind mirror money monkey monster month moon
morning mother motor mountain mouse mouth movie mud muscle museum mushroom music nail napkin neck needle neighbor nest newspaper
night noise noodle north nose notebook number ocean office oil onion orange orchard oven owl ox page pan paint
palace palm pancake paper parent park parrot party pasta path pear pen pencil penguin people pepper person
phone piano pickle picnic picture pig pigeon pillow pilot pin pine pipe pirate pizza planet plant plate
pocket poem poet police pond pony pool port potato powder prince princess prison prize puddle pumpkin pupil
puppet puppy purse puzzle pyramid queen question rabbit radio rail rainbow rat refrigerator restaurant rice
ring river road robot rock rocket roof room rope rug ruler sailor salad salt sand sandwich scarf school
science scissors season seat secret shadow shark sheep shelf shell ship shirt shoe shop shoulder shower sister skirt
sky sleeve slipper smoke snail snake snow soap sock sofa soldier song soup south spider sponge spoon spring square squirrel
stable stage stamp star station statue stick stocking stomach stone store storm story stove strawberry street string student
subject sugar suit suitcase summer sun supper swan sweater swing sword table tailor tank tap taxi teacher team teapot teeth
telephone temple tent theater thief thing thread thumb thunder ticket tiger toe toast tomato tongue tool top
towel tower town toy tractor traffic train treasure tree triangle trip trousers truck trumpet tunnel
turkey turtle twin umbrella uncle uniform vacation valley van vegetable village violin visitor voice volcano
wagon wall wallet water weather wedding west whale wheel whistle window wing winter witch wolf
woman wool word worker world worm writer yard year zebra zoo
accident adult adventure airport area astronaut bacon bear bedtime bishop blossom bracelet breath buffalo burger
cabinet cactus canyon carpenter channel charm chess chest choice citizen coach college comet company
corn costume crayon creature cricket crystal custom daisy deck detail device drama duty effort emperor energy
event expert fabric fairy fashion favor feast fever film flash flock flood foam fortune freedom future galaxy game
gesture glacier globe habit harvest hazard hero history hobby horizon humor image journal journey
joy justice knowledge label lantern laughter law league legend leopard lesson level limit list lobster luggage
magic manner master matter meal melody memory message method midnight mile model moment motion movement
mystery nation nature network nickel novel nurse object opinion orbit order owner oxygen package partner pattern
peach peanut pebble pepperoni photo phrase planner pleasure point policy position practice pride problem
process profit program promise purpose race reason recipe region report result reward rhythm riddle river robin
rooster rumor sample satellite scale score screen script search section sense series service shape signal silence
silver size skill society source space speech speed spirit sport standard statement status steam step stranger
stream strength struggle studio style success sunset surface surprise system talent target task taste temper term
theory topic total touch trade tradition trend trial tribe trick trouble trust truth unit valve value victory
view virus vision wealth weapon wheat width wisdom wish wonder wood workshop
""".split()

ADJECTIVES = """
able active afraid alone amazing ancient angry awake bad basic beautiful big bitter blank blind bold brave brief bright
broad broken brown busy careful cheap cheerful clean clear clever cloudy cold common cool correct crazy crowded
curious curly dark deaf deep delicious different difficult dirty double dry easy electric empty enormous equal evil exact
excellent expensive extra false famous fancy fast fat final fine firm flat foreign free fresh friendly full funny general
gentle giant glad golden good grand gray great green grumpy happy hard healthy heavy helpful hidden high hollow honest
hot huge humble hungry important jolly kind large late lazy legal light little lively local lonely long loose loud
lovely lucky magical main many massive mild modern musical narrow nasty native natural nervous new nice noisy normal odd official
old open ordinary painful perfect pink plastic pleasant polite poor popular pretty private proper proud public
purple quick quiet rapid rare ready real recent regular rich rough round royal rude sad safe salty secret
serious sharp shiny short shy sick silent silly similar simple single sleepy slim slow small smart smooth social soft
solid sour special spicy steep sticky still strange strict strong sudden sunny sure sweet swift tall tame tender terrible
thick thin thirsty tidy tight tiny tired total tough tropical true ugly unusual upset useful usual vast violent visible
warm wealthy weird wet white wide wild wise wonderful wooden worried wrong yellow young
""".split()

VERBS = """
accept add admire admit agree allow announce appear argue arrive ask attack avoid bake become begin believe belong
bend bite bless blink borrow bounce breathe bring build burn call carry catch cause chase chat cheat
cheer choose clap climb collect combine compare complain connect consider contain continue copy cough cover crawl
create cross crush cry decide deliver demand depend describe destroy develop discover divide dive doubt drag draw
drink drive drop earn eat encourage enjoy enter escape examine expect explain explore fall fear feed feel
fight fill find finish fit fix float follow forget forgive freeze frighten gather get give glow go grab grow guess
handle hang happen hate help hide hit hold hope hug hunt hurry imagine improve include increase
invent invite join joke jump keep kick kneel knit knock laugh launch learn leave lend lift like listen lock
lose love manage march marry measure melt mention mix move multiply nod notice obey obtain offer operate
pack park pass pay perform pick place play point polish pop pour practice pray prefer prepare pretend prevent print produce protect
provide pull punch punish push put raise reach realize receive recognize reduce reflect refuse rely remain remember
remind remove repair repeat replace reply request rescue rest return roll rub ruin run rush satisfy save scare
scratch scream scrub seem select send separate serve settle shake share shave shine shiver shout shrug
sing sink sit skate skip sleep slide smell smile sneeze solve sort speak spell spend spill spin
split spray spread squeak squeeze stand stare start stay steer stop strap stretch strip study succeed suffer suggest supply
support suppose surround suspect swallow swim switch talk teach tease tell thank think tickle
tie touch trace trap travel treat tremble trust try tug tumble turn twist type understand unlock untie vanish
visit want warn wash waste watch wave whisper win wink wipe wonder work worry
wrap wreck yawn yell zip
""".split()

SMALL_WORDS = """
about above across after again ago almost along already also although always among and another any anyone around away
back because before behind below beneath beside between beyond both but certainly daily down during each early either
else enough even ever every exactly except far first forever forward from hardly however if indeed inside instead into just
last later least less maybe mine more mostly much must my near nearly never next nobody nothing now
nowhere often once only other our outside over perhaps quickly quite rather really second several she
slowly some somehow someone something sometimes soon such than that then there these they third this those
through till today together tomorrow tonight under until up upon usually very we well when whenever where
while who whose why with within without yesterday yet you your
""".split()


def _unique(*lists):
    seen = {}
    for words in lists:
        for word in words:
            seen.setdefault(word, None)
    return list(seen)


def all_words():
    """Every word of the copying skills, in a fixed order."""
    from . import lexicon
    return _unique(NOUNS, ADJECTIVES, VERBS, SMALL_WORDS, lexicon.extra_words())
