"""What the invented retailer sells: ten departments of six leaves each, word lists, colours. Data only.

All brands are invented. Prices are typical base prices in euro cents before the draw.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leaf:
    slug: str
    name: str
    department: str
    nouns: tuple[str, ...]
    typical_minor: int
    size_name: str
    sizes: tuple[str, ...]
    materials: tuple[str, ...]
    weight_grams: int
    tax_class: str


APPAREL_SIZES = ("XS", "S", "M", "L", "XL")
SHOE_SIZES = ("37", "38", "39", "40", "41", "42", "43", "44")
ONE = ("One size",)

DEPARTMENTS: tuple[tuple[str, str], ...] = (
    ("apparel", "Apparel"),
    ("footwear", "Footwear"),
    ("bags", "Bags & Luggage"),
    ("home", "Home & Living"),
    ("kitchen", "Kitchen & Dining"),
    ("electronics", "Electronics"),
    ("outdoor", "Outdoor & Camping"),
    ("sports", "Sports & Fitness"),
    ("beauty", "Beauty & Care"),
    ("toys", "Toys & Books"),
)


def _leaf(
    department: str,
    slug: str,
    name: str,
    nouns: str,
    typical_minor: int,
    sizes: tuple[str, ...] = ONE,
    *,
    size_name: str = "Size",
    materials: str = "",
    weight_grams: int = 400,
    tax_class: str = "standard",
) -> Leaf:
    return Leaf(
        slug,
        name,
        department,
        tuple(nouns.split(",")),
        typical_minor,
        size_name,
        sizes,
        tuple(materials.split(",")) if materials else ("mixed",),
        weight_grams,
        tax_class,
    )


TEXTILES = "merino wool,organic cotton,linen,recycled polyester"
LEATHERS = "leather,suede,canvas,recycled nylon"
METALS = "steel,cast iron,aluminium,copper"

LEAVES: tuple[Leaf, ...] = (
    _leaf("apparel", "jackets", "Jackets", "Jacket,Parka,Anorak", 14900, APPAREL_SIZES, materials=TEXTILES),
    _leaf("apparel", "shirts", "Shirts", "Shirt,Overshirt,Polo", 5900, APPAREL_SIZES, materials=TEXTILES),
    _leaf("apparel", "trousers", "Trousers", "Trousers,Chinos,Jeans", 7900, APPAREL_SIZES, materials=TEXTILES),
    _leaf("apparel", "knitwear", "Knitwear", "Sweater,Cardigan,Pullover", 8900, APPAREL_SIZES, materials=TEXTILES),
    _leaf("apparel", "dresses", "Dresses", "Dress,Wrap Dress,Tunic", 9900, APPAREL_SIZES, materials=TEXTILES),
    _leaf(
        "apparel", "socks", "Socks", "Socks,Hiking Socks", 1500, ("S", "M", "L"), materials=TEXTILES, weight_grams=60
    ),
    _leaf("footwear", "running-shoes", "Running Shoes", "Running Shoe,Trail Shoe", 12900, SHOE_SIZES, weight_grams=620),
    _leaf("footwear", "boots", "Boots", "Boot,Chelsea Boot,Hiking Boot", 17900, SHOE_SIZES, materials=LEATHERS),
    _leaf("footwear", "sandals", "Sandals", "Sandal,Slide", 5900, SHOE_SIZES, materials=LEATHERS),
    _leaf("footwear", "sneakers", "Sneakers", "Sneaker,Court Shoe", 9900, SHOE_SIZES, materials=LEATHERS),
    _leaf("footwear", "slippers", "Slippers", "Slipper,House Shoe", 3900, SHOE_SIZES, materials=TEXTILES),
    _leaf("footwear", "loafers", "Loafers", "Loafer,Moccasin", 13900, SHOE_SIZES, materials=LEATHERS),
    _leaf("bags", "backpacks", "Backpacks", "Backpack,Daypack", 8900, ("15 l", "22 l", "30 l"), size_name="Capacity"),
    _leaf("bags", "suitcases", "Suitcases", "Suitcase,Carry-on", 15900, ("38 l", "64 l", "95 l"), size_name="Capacity"),
    _leaf("bags", "totes", "Totes", "Tote,Shopper", 4900, materials=LEATHERS),
    _leaf("bags", "wallets", "Wallets", "Wallet,Card Holder", 3900, materials=LEATHERS, weight_grams=90),
    _leaf("bags", "belt-bags", "Belt Bags", "Belt Bag,Sling", 3500, materials=LEATHERS, weight_grams=180),
    _leaf("bags", "messenger-bags", "Messenger Bags", "Messenger Bag,Briefcase", 10900, materials=LEATHERS),
    _leaf("home", "lamps", "Lamps", "Table Lamp,Floor Lamp,Pendant", 8900, materials=METALS, weight_grams=2400),
    _leaf("home", "cushions", "Cushions", "Cushion,Bolster", 2900, ("40 cm", "50 cm"), materials=TEXTILES),
    _leaf("home", "blankets", "Blankets", "Blanket,Throw", 6900, materials=TEXTILES, weight_grams=1300),
    _leaf("home", "rugs", "Rugs", "Rug,Runner", 19900, ("80x150 cm", "160x230 cm", "200x300 cm"), materials=TEXTILES),
    _leaf("home", "vases", "Vases", "Vase,Planter", 3900, materials="stoneware,glass,porcelain", weight_grams=1100),
    _leaf("home", "candles", "Candles", "Candle,Scented Candle", 2400, weight_grams=350),
    _leaf("kitchen", "pans", "Pans", "Frying Pan,Saute Pan", 6900, ("20 cm", "24 cm", "28 cm"), materials=METALS),
    _leaf("kitchen", "knives", "Knives", "Chef's Knife,Paring Knife", 7900, materials="steel,damascus steel"),
    _leaf("kitchen", "mugs", "Mugs", "Mug,Travel Mug", 1900, ("0.3 l", "0.5 l"), size_name="Capacity"),
    _leaf("kitchen", "coffee-makers", "Coffee Makers", "Coffee Maker,Moka Pot", 5900, materials=METALS),
    _leaf(
        "kitchen", "bottles", "Bottles", "Water Bottle,Flask", 2500, ("0.5 l", "0.75 l", "1 l"), size_name="Capacity"
    ),
    _leaf(
        "kitchen", "storage-jars", "Storage Jars", "Storage Jar,Canister", 1500, ("0.5 l", "1 l"), size_name="Capacity"
    ),
    _leaf("electronics", "headphones", "Headphones", "Headphones,Earbuds", 12900, materials="aluminium,plastic"),
    _leaf("electronics", "speakers", "Speakers", "Speaker,Soundbar", 14900, materials="aluminium,plastic"),
    _leaf("electronics", "chargers", "Chargers", "Charger,Power Bank", 3900, ("30 W", "65 W"), size_name="Power"),
    _leaf("electronics", "keyboards", "Keyboards", "Keyboard,Keypad", 9900, materials="aluminium,plastic"),
    _leaf("electronics", "cameras", "Cameras", "Action Camera,Compact Camera", 34900, materials="aluminium,plastic"),
    _leaf("electronics", "watches", "Watches", "Sports Watch,Smart Watch", 22900, ("41 mm", "45 mm"), materials=METALS),
    _leaf("outdoor", "tents", "Tents", "Tent,Tarp", 29900, ("2 person", "3 person"), weight_grams=3200),
    _leaf(
        "outdoor", "sleeping-bags", "Sleeping Bags", "Sleeping Bag,Quilt", 14900, ("Regular", "Long"), weight_grams=1200
    ),
    _leaf("outdoor", "stoves", "Stoves", "Camping Stove,Gas Stove", 6900, materials=METALS),
    _leaf("outdoor", "headlamps", "Headlamps", "Headlamp,Lantern", 4900, weight_grams=120),
    _leaf(
        "outdoor", "trekking-poles", "Trekking Poles", "Trekking Pole,Walking Stick", 7900, materials="carbon,aluminium"
    ),
    _leaf("outdoor", "hammocks", "Hammocks", "Hammock,Swing Chair", 5900, materials=TEXTILES),
    _leaf("sports", "yoga-mats", "Yoga Mats", "Yoga Mat,Travel Mat", 4900, weight_grams=1500),
    _leaf(
        "sports", "dumbbells", "Dumbbells", "Dumbbell,Kettlebell", 3900, ("4 kg", "8 kg", "12 kg"), weight_grams=8000
    ),
    _leaf("sports", "bikes", "Bikes", "City Bike,Gravel Bike", 89900, ("S", "M", "L"), weight_grams=12000),
    _leaf("sports", "helmets", "Helmets", "Helmet,Ski Helmet", 7900, ("S", "M", "L"), weight_grams=320),
    _leaf("sports", "swimwear", "Swimwear", "Swimsuit,Swim Shorts", 4500, APPAREL_SIZES, weight_grams=150),
    _leaf("sports", "rackets", "Rackets", "Tennis Racket,Badminton Racket", 8900, materials="carbon,aluminium"),
    _leaf("beauty", "face-care", "Face Care", "Face Cream,Serum", 2900, ("30 ml", "50 ml"), size_name="Volume"),
    _leaf("beauty", "hair-care", "Hair Care", "Shampoo,Conditioner", 1400, ("250 ml", "500 ml"), size_name="Volume"),
    _leaf("beauty", "soaps", "Soaps", "Soap,Hand Wash", 900, weight_grams=150),
    _leaf("beauty", "fragrances", "Fragrances", "Eau de Parfum,Cologne", 7900, ("50 ml", "100 ml"), size_name="Volume"),
    _leaf("beauty", "brushes", "Brushes", "Hair Brush,Beard Brush", 1900, materials="beech,olive wood"),
    _leaf("beauty", "sun-care", "Sun Care", "Sun Cream,After Sun", 1700, ("100 ml", "200 ml"), size_name="Volume"),
    _leaf("toys", "puzzles", "Puzzles", "Puzzle,Jigsaw", 1900, ("500 pieces", "1000 pieces"), size_name="Pieces"),
    _leaf("toys", "board-games", "Board Games", "Board Game,Card Game", 3400, weight_grams=1100),
    _leaf("toys", "plush", "Plush", "Teddy Bear,Plush Fox", 2400, weight_grams=300),
    _leaf("toys", "building-blocks", "Building Blocks", "Building Set,Block Set", 4900, materials="beech,plastic"),
    _leaf("toys", "cookbooks", "Cookbooks", "Cookbook,Baking Book", 2900, tax_class="books"),
    _leaf("toys", "picture-books", "Picture Books", "Picture Book,Bedtime Book", 1600, tax_class="books"),
)

BRANDS: tuple[str, ...] = (
    "Alderwick", "Bramble & Birch", "Corvane", "Dunmere", "Elverstone", "Fjordhus", "Galtero", "Harrowmoor", "Isenthal",
    "Juniper Row", "Kestrelway", "Lumenfold", "Marrowby", "Northquill", "Orrin & Vale", "Pellworth", "Quenby", "Ravenhall",
    "Solbrekke", "Tarnfield", "Umbra Loom", "Verdane", "Wexcombe", "Xanthe Mill", "Yarrowdale", "Zephyrine", "Ashgrove Co",
    "Bellcaster", "Cindermoss", "Drift & Tide", "Emberline", "Foxley", "Greywater", "Hollin", "Ivarsson Works", "Jovanti",
    "Kelmora", "Larkspur Lane", "Mossgate", "Nettleford",
)  # fmt: skip

LINES: tuple[str, ...] = (
    "Alpine", "Harbour", "Meadow", "Cedar", "Granite", "Willow", "Aurora", "Pioneer", "Drift", "Ember", "Summit", "Coast",
    "Heron", "Lichen", "Orchard", "Pebble", "Quarry", "Ridge", "Saffron", "Thistle", "Umber", "Valley", "Wander", "Zenith",
)  # fmt: skip

COLOURS: tuple[tuple[str, str], ...] = (
    ("Black", "#22252b"), ("Chalk", "#efece4"), ("Moss", "#5c6f4b"), ("Navy", "#24395f"), ("Rust", "#a9532c"),
    ("Sand", "#d3bd97"), ("Slate", "#64707d"), ("Plum", "#6a3a57"), ("Teal", "#2b6f73"), ("Mustard", "#c99a2e"),
)  # fmt: skip

GIVEN_NAMES: tuple[str, ...] = (
    "Ada", "Amir", "Anouk", "Bela", "Carla", "Chidi", "Dana", "Elif", "Emil", "Farah", "Felix", "Greta", "Hugo", "Ines",
    "Jonas", "Kira", "Leon", "Lina", "Mateo", "Mina", "Nadia", "Noah", "Olga", "Omar", "Paula", "Quinn", "Rosa", "Samir",
    "Tessa", "Uma", "Viktor", "Wanda", "Xenia", "Yusuf", "Zoe", "Theo",
)  # fmt: skip

FAMILY_NAMES: tuple[str, ...] = (
    "Abel", "Bauer", "Castell", "Dorn", "Eriksen", "Falk", "Garnier", "Holt", "Imhof", "Jansen", "Keller", "Lorne",
    "Marsh", "Novak", "Okafor", "Perez", "Quade", "Rossi", "Sander", "Tanaka", "Ulrich", "Vance", "Weber", "Young", "Zeller",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class City:
    name: str
    country: str
    timezone: str
    lat: float
    lng: float


CITIES: tuple[City, ...] = (
    City("Berlin", "DE", "Europe/Berlin", 52.52, 13.405),
    City("Hamburg", "DE", "Europe/Berlin", 53.551, 9.994),
    City("Munich", "DE", "Europe/Berlin", 48.137, 11.575),
    City("Cologne", "DE", "Europe/Berlin", 50.938, 6.96),
    City("London", "GB", "Europe/London", 51.507, -0.128),
    City("Manchester", "GB", "Europe/London", 53.483, -2.244),
    City("Edinburgh", "GB", "Europe/London", 55.953, -3.188),
    City("New York", "US", "America/New_York", 40.713, -74.006),
    City("Chicago", "US", "America/Chicago", 41.878, -87.63),
    City("San Francisco", "US", "America/Los_Angeles", 37.775, -122.419),
    City("Frankfurt", "DE", "Europe/Berlin", 50.11, 8.682),
    City("Leipzig", "DE", "Europe/Berlin", 51.34, 12.375),
)
