"""What the shop sells; a cart keeps only numbers, so that a price is looked up, not remembered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One thing for sale; `price` is in euro cents and `icon` names a drawing in page/goods.svg."""

    id: int
    name: str
    note: str
    price: int
    icon: str


_GOODS = (
    Product(451, "Walking umbrella", "Ash handle, eight steel ribs", 6800, "umbrella"),
    Product(452, "Lambswool scarf", "Two metres, woven in one piece", 4900, "scarf"),
    Product(453, "Felt hat", "Wide brim, keeps off an hour of rain", 7900, "hat"),
    Product(454, "Beech coat hanger", "Shaped shoulders, brass hook", 1450, "hanger"),
    Product(455, "Waxed rain coat", "Cotton canvas, storm collar, five pockets", 14900, "coat"),
    Product(456, "Enamel mug", "Holds 350 ml and survives the floor", 1600, "mug"),
    Product(457, "Tin of smoked tea", "Lapsang souchong, 100 g of loose leaf", 1250, "tea"),
    Product(458, "Storm lantern", "Burns for a whole night on one filling", 3900, "lantern"),
)

CATALOGUE = {product.id: product for product in _GOODS}
