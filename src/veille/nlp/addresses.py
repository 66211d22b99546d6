"""French street addresses and named spots in running text, SMS style too.

One pass over the words; from each word that may open an address, at most `REACH` words are read:
the time grows with the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from veille.nlp.prepare import TEXT_LIMIT
from veille.nlp.tokens import Token, tokens

LINKS_BACK = 3  # « près de la », « à côté de l' »
REACH = 9  # words of a name: « de l'abbé Pierre et Marie de la Tour » is a long one


class AddressKind(StrEnum):
    """What the words point at."""

    STREET = "street"
    ROAD = "road"
    SPOT = "spot"
    LOCALITY = "locality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A verbatim span; code points, `end` excluded. `number` is the house's, as written."""

    kind: AddressKind
    text: str
    start: int
    end: int
    number: str | None = None


_NEAR = re.compile(r"[ \t\u00a0\u202f]{0,2},?[ \t\u00a0\u202f]{0,2}")
_ABBREVIATED = re.compile(r"\. ?| ?: ?| ?« ?")
_POSTCODE = re.compile(r"\d{5}")
_YEAR = re.compile(r"\d{4}")
_NUMBER = re.compile(r"\d{1,4}(?:bis|ter|quater|[a-d])?(?:-\d{1,4})?")
_ROAD = re.compile(r"[adn]\d{1,4}")
_LONG_ROAD = re.compile(r"[adn]\d{2,4}")
_SURE_ROAD = re.compile(r"(?:rd|rn)\d{1,4}")

STREETS = frozenset(
    """rue avenue av ave boulevard bd bld bvd boul impasse imp allee allees chemin ch che quai
    venelle ruelle faubourg fbg esplanade promenade sentier sente montee rocade corniche mail
    traverse voie rond-point rdpt rondpoint giratoire carrefour square sq villa""".split()
)
_SHORT = frozenset("r av ave bd bld bvd boul imp all ch che fbg sq pl rte bat".split())
VAGUE = frozenset("place pl cours route rte passage cite cote port parvis montee voie mail".split())
"""Ways that are ordinary nouns too: they need a name that is written as one, or a house number."""
SPOTS = frozenset(
    """ecole maternelle college lycee creche gymnase stade piscine camping gare eglise chapelle
    hopital clinique ehpad pont passerelle parking parc salle mediatheque bibliotheque cimetiere
    caserne mairie foyer barrage ecluse halte usine moulin chateau theatre cinema tunnel plage
    residence maison-de-retraite supermarche station arret aire centre-commercial tour batiment bat
    immeuble""".split()
)
LOCALITIES = frozenset(
    """hameau lieu-dit lieudit lotissement quartier zone-artisanale za zi zac domaine
    ferme""".split()
)
_PAIRS = {
    ("rd", "point"): "rond-point", ("rond", "point"): "rond-point", ("lieu", "dit"): "lieu-dit",
    ("zone", "artisanale"): "zone-artisanale", ("zone", "industrielle"): "zi",
    ("zone", "commerciale"): "zac", ("centre", "commercial"): "centre-commercial",
    ("groupe", "scolaire"): "ecole",
    ("maison", "de"): "maison-de-retraite",
}  # fmt: skip
_ADJECTIVES = frozenset(
    """municipal municipale communal communale intercommunal intercommunale maternelle elementaire
    primaire publique privee polyvalente souterrain sncf routiere tgv catholique
    departemental departementale nationale vicinal rural""".split()
)
_FIXED = frozenset(  # with these, no other name is needed
    "municipal municipale communal communale intercommunale polyvalente sncf routiere".split()
)
_LINKS = frozenset("de du des d la le les l aux au a".split())
_INNER = frozenset("de du des d la le les l".split())
_TITLES = frozenset(  # what a name of several words starts with in a text without capitals
    """saint sainte st ste victor jean jules emile pierre paul louis charles general gal marechal
    docteur dr president abbe colonel commandant capitaine professeur marie georges anatole leon
    albert antoine aristide edouard ernest francois gabriel guy henri jacques joliot maurice
    marcel michel olympe raymond rene robert romain rosa simone val vieux vieille grand grande
    petit petite haut haute bas basse belle bel beau notre arthur claude edith frederic gustave
    lucie nelson martin salvador maximilien honore alphonse deux trois quatre
    lavande""".split()
)
_MONTHS = frozenset(
    """janvier fevrier mars avril mai juin juillet aout septembre octobre novembre
    decembre""".split()
)
_STOPS = frozenset(  # never a part of a name
    """a ai as au aux avec ce ces cet cette chez comme dans depuis derriere devant donc elle elles
    en entre est et etait etaient ete eu eux fait faut hier ici il ils j je leur leurs lui mais me
    mes mon ma ne nos notre nous on ont ou par pas plus pour pourquoi quand que quel quelle qui qu
    sa sans se ses si son sont sur sous ta tes ton toi tous tout toute toutes trop tu un une va vers
    vos votre vous y ya c s n m t jusqu moi venez vite aidez help sos urgent urgence svp merci
    toujours encore deja aujourd maintenant demain samedi dimanche lundi mardi mercredi jeudi
    vendredi attention alerte bonjour bonsoir faites appelez envoyez sommes suis personne rien cela
    ca voila quelqu quelle aucun aucune alors aussi apres avant bcp beaucoup tres nuit jour cote
    droite gauche meme autre autres parking stationnement""".split()
)
_NOT_NAMES = frozenset(  # « salle de bain », « école de danse »: what it is for, not its name
    """bain bains attente classe classes sport sports danse musique conduite vie formation commerce
    reunion jeux jeu concert concerts spectacle fetes mariage traite traitement reve vacances garde
    attractions lavage repos soins meditation triage recharge vente maths francais anglais
    yoga route force honneur choix main jury experts ble petrole eau gaz or euro bourse action
    recherche peche pouvoir reflexion temps vent terre fond secours securite recreation detente
    loisirs seconde premiere terminale journee semaine matinee soiree nuit jour annee mois
    soir pieton pietons fin procedure match saison projet chantier
    enfants enfant gens personnes voisins voisin parents mere pere mecs jeunes velos voitures
    travaux reconstruction democratie""".split()
)
_NOT_AFTER = {  # the word before makes the noun something else
    "place": frozenset("sur en de prend prendre mettre mise une des plus deux premiere".split()),
    "cours": frozenset("au en de un des les aux mes ses".split()),
    "route": frozenset("en de bonne feuille".split()),
    "passage": frozenset("de au un son".split()),
    "pont": frozenset("faire fait faisons font grand".split()),
    "rue": frozenset("se s je qui il elle on cheval".split()),
    "cote": frozenset("a de du".split()),
    "tour": frozenset("a le un faire fait".split()),
}
_NOT_NAMED = {  # « le pont de l'Ascension », « le Tour de France »
    "pont": frozenset("ascension toussaint pentecote paques armistice noel mai".split()),
    "tour": frozenset("france".split()),
}
_AT = frozenset("devant derriere sous jouxtant".split())
_AT_OF = frozenset("niveau pres cote face proximite droit hauteur bord entree loin sortie".split())
_BARE = frozenset(  # spots of which a commune has few enough to say « devant la gare »
    """ecole college lycee creche gymnase stade piscine camping gare eglise hopital ehpad pont
    passerelle mairie cimetiere caserne mediatheque barrage chateau rond-point""".split()
)


def addresses(text: str) -> tuple[Address, ...]:
    """Return the addresses of the text's first 2,000 characters in order of place, apart."""
    words = tokens(text[:TEXT_LIMIT])
    found: list[Address] = []
    at = 0
    while at < len(words):
        address, after = _address(text, words, at)
        if address and (not found or address.start >= found[-1].end):
            found.append(address)
            at = after
        else:
            at += 1
    return tuple(found)


def _address(text: str, words: Sequence[Token], at: int) -> tuple[Address | None, int]:
    way, after = _way(words, at)
    if not way:
        return _numbered_road(text, words, at)
    kind = _kind(way)
    first, number = _house(words, at)
    if _is_something_else(words, at, way, has_number=number is not None):
        return None, at
    is_vague = way in VAGUE and number is None
    end = _name(words, after, way=way, is_vague=is_vague, has_number=number is not None)
    if end == after and way in _BARE and _is_pointed_at(words, at):
        end = after
    elif end == after:
        return None, at
    if kind is AddressKind.SPOT and way != "residence":
        first, number = at, None  # « 3 écoles »
    end = _with_town(words, end)
    return _made(text, words, kind=kind, first=first, end=end, number=number), end


def _made(
    text: str,
    words: Sequence[Token],
    *,
    kind: AddressKind,
    first: int,
    end: int,
    number: str | None = None,
) -> Address:
    start, stop = words[first].start, words[end - 1].end
    return Address(kind=kind, text=text[start:stop], start=start, end=stop, number=number)


def _way(words: Sequence[Token], at: int) -> tuple[str, int]:
    """Return the word that opens an address, one for all its spellings, and where it ends."""
    word = words[at].word
    if at + 1 < len(words) and words[at + 1].adjoins:
        pair = _PAIRS.get((word, words[at + 1].word), "")
        if pair == "maison-de-retraite":
            is_home = at + 2 < len(words) and words[at + 2].word == "retraite"
            return (pair, at + 3) if is_home else ("", at)
        if pair:
            return pair, at + 2
    if word in STREETS or word in VAGUE or word in SPOTS or word in LOCALITIES:
        return word, at + 1
    if word == "r" and _opens(words, at + 1, at + 1) and _house(words, at)[1]:
        return "rue", at + 1
    return ("rond-point", at + 1) if word in {"rd-point", "rd-pt"} else ("", at)


def _kind(way: str) -> AddressKind:
    if way in SPOTS:
        return AddressKind.SPOT
    return AddressKind.LOCALITY if way in LOCALITIES else AddressKind.STREET


def _house(words: Sequence[Token], at: int) -> tuple[int, str | None]:
    """Return where the house number starts, and the number: « n° 12 bis, » before « rue »."""
    first = at
    if not _near(words[at].gap):
        return at, None
    before = at - 1
    suffix = ""
    if before > 0 and words[before].word in {"bis", "ter", "quater", "a", "b", "c"}:
        suffix, before = words[before].written, before - 1
    if before >= 0 and _NUMBER.fullmatch(words[before].word):
        if suffix and not words[before + 1].adjoins:
            return at, None
        first = before
        if first > 0 and words[first].gap == "/" and words[first - 1].word.isdigit():
            first -= 1
        number = "/".join(word.written for word in words[first : before + 1])
        return first, f"{number} {suffix}".strip()
    return first, None


def _is_something_else(words: Sequence[Token], at: int, way: str, *, has_number: bool) -> bool:
    if has_number or at == 0:
        return False
    before = words[at - 1].word
    if words[at].word == "ch" or (words[at].word == "pl" and not words[at].is_capital):
        return before in {"le", "la", "un"}
    if way == "place" and before == "la" and at > 1 and words[at - 2].word == "a":
        return True  # « à la place de »
    return before in _NOT_AFTER.get(way, ())


def _name(words: Sequence[Token], at: int, *, way: str, is_vague: bool, has_number: bool) -> int:
    """Return where the name that starts at `at` ends, or `at` when there is none."""
    limit = min(len(words), at + REACH)
    here = at
    while here < limit and _opens(words, here, at) and words[here].word in _ADJECTIVES:
        here += 1
    fixed = at
    if any(word.word in _FIXED or word.is_capital for word in words[at:here]):
        fixed = here  # « camping municipal », « rue Nationale »
    start = here
    while here < limit and _opens(words, here, at) and words[here].word in _LINKS - {"a"}:
        if words[here].is_capital and here + 1 < limit and words[here + 1].gap.isspace():
            break  # « résidence Les Tilleuls »: below
        here += 1
    if here < limit and words[here].word in _INNER and words[here].is_capital:
        here += 1
    if here >= limit or not _opens(words, here, at):
        return fixed
    end = _dated(words, here, limit) if way != "pont" else here
    if end > here:
        return end
    if words[here].word in _NOT_NAMED.get(way, ()):
        return at
    may = _may_name(words, start, here, is_vague=is_vague)
    is_housed = has_number and words[here].word not in _STOPS | _NOT_NAMES
    if not may and not (is_housed and (here > start or way not in VAGUE)):
        return fixed
    return _rest(words, here, limit, is_linked=here > start)


def _dated(words: Sequence[Token], at: int, limit: int) -> int:
    """Return where « 8 mai 1945 » ends, or `at`."""
    if not words[at].word.removesuffix("er").isdigit() or at + 1 >= limit:
        return at
    if words[at + 1].word not in _MONTHS or not words[at + 1].adjoins:
        return at
    has_year = at + 2 < limit and _YEAR.fullmatch(words[at + 2].word)
    return at + 3 if has_year and words[at + 2].adjoins else at + 2


def _may_name(words: Sequence[Token], start: int, here: int, *, is_vague: bool) -> bool:
    token = words[here]
    if token.word in _STOPS and not (token.word == "notre" and token.is_capital):
        return False
    if token.word.isdigit():
        return False
    if token.is_capital:
        return True
    if token.word in _NOT_NAMES:
        return False
    links = {word.word for word in words[start:here]}
    has_article = bool(links & {"du", "des", "la", "l", "les", "le"})
    if is_vague:
        return has_article and token.word in _SQUARES
    return has_article or token.word in _TITLES


_SQUARES = frozenset(
    """marche mairie eglise republique gare liberte poste fontaine halle halles paix victoire
    chateau cathedrale theatre port""".split()
)


def _rest(words: Sequence[Token], here: int, limit: int, *, is_linked: bool) -> int:
    """Return where the name ends whose first own word is at `here`."""
    end = here + 1
    while end < limit and words[end].adjoins:
        token, last = words[end], words[end - 1]
        if token.word in _STOPS and not (token.word == "et" and not is_linked):
            return end
        follows = end + 1 < limit and words[end + 1].adjoins and words[end + 1].is_capital
        if token.word == "et":
            pairs = follows and end + 2 < limit and words[end + 2].is_capital
            if not (pairs and words[end + 2].adjoins) or _way(words, end + 1)[0]:
                return end
            end += 3
        elif token.word in _INNER:
            reach = end
            while reach < limit and words[reach].word in _INNER and words[reach].adjoins:
                reach += 1
            is_name = reach < limit and words[reach].adjoins and words[reach].is_capital
            if not is_name and not (last.word in _TITLES and reach < limit):
                return end
            end = reach + 1
        elif (token.is_capital or last.word in _TITLES) and not _way(words, end)[0]:
            end += 1
        else:
            return end
    return end


def _is_pointed_at(words: Sequence[Token], at: int) -> bool:
    """Whether « devant la », « au niveau du » or their like come before the word."""
    here = at - 1
    while (
        here >= 0
        and at - here <= LINKS_BACK
        and words[here].word in _LINKS
        and words[here + 1].adjoins
    ):
        here -= 1
    if here < 0 or not words[here + 1].adjoins:
        return False
    return words[here].word in _AT or (
        words[here].word in _AT_OF and words[here + 1].word in {"de", "du", "d", "des", "a", "au"}
    )


def _with_town(words: Sequence[Token], end: int) -> int:
    """Return where « , 44000 Nantes » ends after an address, or `end`."""
    if end + 1 >= len(words) or not (_near(words[end].gap) or words[end].gap == " - "):
        return end
    if not _POSTCODE.fullmatch(words[end].word) or not words[end + 1].is_capital:
        return end
    after = end + 1
    while after < min(len(words), end + 4) and words[after].adjoins and words[after].is_capital:
        after += 1
    return after


def _numbered_road(text: str, words: Sequence[Token], at: int) -> tuple[Address | None, int]:
    """Find « la D12 », « RN 20 », « départementale 938 »; a « D2 » alone is a league."""
    word, end = words[at].word, at + 1
    follows = end < len(words) and words[end].adjoins and words[end].word.isdigit()
    if word in {"rd", "rn", "departementale", "nationale", "autoroute"} and follows:
        return _made(text, words, kind=AddressKind.ROAD, first=at, end=end + 1), end + 1
    before = [token.word for token in words[max(0, at - 2) : at]]
    is_said = bool(before) and before[-1] in {"la", "l", "autoroute"}
    is_driven = is_said and before[0] == "sur"  # « sur la N7 », for « la N1 » may be a league
    is_sure = _SURE_ROAD.fullmatch(word) or (is_said and _LONG_ROAD.fullmatch(word))
    if not is_sure and not (is_driven and _ROAD.fullmatch(word)):
        return None, at
    return _made(text, words, kind=AddressKind.ROAD, first=at, end=end), end


def _near(gap: str) -> bool:
    return bool(_NEAR.fullmatch(gap))


def _opens(words: Sequence[Token], here: int, at: int) -> bool:
    """Whether the word goes on with the one before; an abbreviation may end in a point."""
    if here >= len(words):
        return False
    gap = words[here].gap
    if here == at and _ABBREVIATED.fullmatch(gap):
        return not gap.startswith(".") or words[here - 1].word in _SHORT
    return words[here].adjoins
