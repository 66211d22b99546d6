"""Street addresses and named spots, by their spans; the brackets mark what is to be found.

All sentences were written for this project by one hand, which also wrote the code: the figures of
the held-out ones say how the code does on that hand's French, and no more.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veille.nlp.addresses import AddressKind, addresses

KNOWN = """
on est coincés au [12 bis rue du Lavoir], venez vite
feu [av. Jean-Jaurès] au 2e étage
accident au [rd point de la gare] 2 voitures
l'eau monte au niveau du [pont de Saint-Cyr]
le [camping municipal] est sous l'eau
de la fumée à l'[école Jean-Zay]
on habite au [lieu-dit la Croix Blanche]
[12 bis rue du Lavoir, 44000 Nantes]
slt ya le feu [rue victor hugo] svp venez
INONDATION [RUE DU LAVOIR] VENEZ VITE
[Rue Pierre et Marie Curie] il y a une fuite
la [rue du 8 mai 1945] est barrée
bagarre [place de la République]
bagarre [place du marché] là maintenant
on est [3 place du marché] au dernier étage
[4, rue des Tanneurs] : porte fracturée
un homme armé [boulevard Gambetta]
un arbre est tombé [chemin des Vignes]
[18 av de la Gare] dégât des eaux
[bd Voltaire] plus de courant
[impasse des Lilas] ça sent le gaz
coulée de boue [route de Montmirail]
accident sur la [D12] direction Blois
accident [RD 938] sortie du bourg
camion couché sur l'[A10] ce matin
camion couché sur la [N7] avant le péage
bloqués devant la [mairie] avec de l'eau aux genoux
rdv derrière l'[église] si vous êtes évacués
le [gymnase Coubertin] accueille les sinistrés
ma mère est à l'[EHPAD Les Glycines]
le [parking du Super U] est inondé
le toit du [collège Henri-Wallon] s'est envolé
la [salle polyvalente] est ouverte pour la nuit
ma tante au [hameau de la Roche] ne répond plus
[quartier Saint-Jacques] sans eau depuis hier
[résidence Les Tilleuls] ascenseur bloqué
incendie [zone artisanale des Chênes]
[2 impasse Pasteur] 3e étage porte gauche
au [27ter rue Émile-Zola] svp
à l'angle de la [rue Pasteur] et de la [rue Hugo]
entre la [rue de la Paix] et le [quai de Loire]
[avenue du Général de Gaulle] entièrement coupée
[av du Maréchal de Lattre de Tassigny] voiture en feu
[cours Mirabeau] bagarre générale
le [passage des Tisserands] est plein d'eau
[allée des Acacias] transformateur qui brûle
[venelle du Puits] mur écroulé
[quai de la Fosse] une personne à l'eau
[12 rue d'Alsace] fuite de gaz
[square Jean-Moulin] seringues près des jeux
on est [10 rue du Lavoir] au premier
la piscine ? [gymnase municipal] plutôt
près de la [gare] il y a un colis suspect
[gare Saint-Roch] mouvement de foule
[pont de la Fontaine] fissuré
à hauteur du [stade] ça brûle
[7/9 rue Diderot] effondrement
[rue Jules Ferry] on manque d'eau
[rue de l'Abbé-Grégoire] cambriolage en cours
[14 rue Louise-Michel, 75018 Paris] 4e étage
l'[avenue de la Libération] est sous l'eau
[ruelle du Four] odeur de gaz
plus de lumière [rue Bellanger]
il n'y a plus de place à la crèche
il y avait pas de place au parking
la jument rue dans les brancards
la foule se rue vers la sortie
il se rue sur Paul comme un fou
la place de parking coûte 60 euros
une place en crèche, c'est mission impossible
place aux jeunes !
à la place du maire j'aurais honte
sur place on nous a dit de revenir
la mise en place du tri est un échec
au cours de la nuit on a entendu du bruit
les cours de maths reprennent lundi
le cours du blé explose
c'est la feuille de route du conseil
en route vers Paris !
bonne route à tous
faire le pont cette année
le pont de l'Ascension approche
on a perdu 3-1 contre Tours
les travaux coûtent 12 000 euros
rendez-vous le 12 mai à 14 h
appelez le 02 41 00 00 00
on est 10 à vouloir une piste cyclable
la rue est sale
la rue appartient à ceux qui votent
descendre dans la rue pour protester
école de danse : inscriptions ouvertes
l'école est finie
la salle de bain est refaite
salle d'attente bondée
le passage à l'heure d'hiver
passage obligatoire du permis
la D2 féminine joue samedi
une feuille A4 suffit
la vitamine D3 en hiver
la mairie ne répond jamais
merci à la mairie
un collège d'experts
au stade de la réflexion
le chemin est encore long
sur le bon chemin
la voie est libre pour le maire
tour de France : passage à 15 h
le tour de la question
un quartier calme
le camping sauvage est interdit
plus de cours de yoga au gymnase
une impasse politique
en pleine rue des gens dorment
à côté de la plaque comme toujours
pont de fin de semaine, tout est fermé
un parc de 12 bus
Rue fermée, merci la mairie
"""

# written before the first run and scored once: exact spans, precision 34/36 (0.94 [0.82, 0.98]),
# recall 34/37 (0.92 [0.79, 0.97]); three of the four misses were repaired since
HELD_OUT = """
feu de cuisine au [45 rue Ledru-Rollin] 3e gauche
la voiture est dans le fossé [route de Vendôme]
il y a de l'eau partout [rue des Saules] aidez nous
svp [8 allée du Parc] ma voisine est tombée
odeur de gaz très forte [rue Camille Claudel]
[bd de la Liberté] un homme frappe une femme
le [pont de Bir] est fermé, l'eau passe dessus
on est sur le toit du [camping des Flots Bleus]
accident grave au carrefour de la pharmacie
accident grave [carrefour de la Croix-Verte]
les gamins sont coincés dans l'[école du Centre]
[place Jean-Moulin] ça tire
une dame allongée devant la [gare]
plus d'électricité [quartier des Coteaux]
le mur de la [rue du Château] s'est effondré
ils sont au [lieu dit Les Brosses]
slt ya un accident [rue de la republique]
[15 r. des Lilas] fumée
[6 bis chemin du Moulin] on est bloqués
la [rue St-Martin] est inondée jusqu'au [12 rue Carnot]
fuite de gaz [rue Anatole France] svp
incendie au [lycée Descartes]
inondation à la [résidence du Lac]
rassemblement au [stade Pierre-Rajon] pour les évacués
la [départementale 15] est coupée par un arbre
on attend les secours au [3 hameau des Pins]
un enfant seul au niveau de la [piscine]
[esplanade du Général-Leclerc] mouvement de panique
[rue de la Poste] , un chien a mordu un petit
[Impasse du Moulin] , cave inondée
ca brule au [centre commercial Les Arcades]
[rue Bir-Hakeim] fuite d'eau énorme
à la [maison de retraite Saint-Joseph] plus de chauffage
vers le [moulin de Lande] l'eau arrive
on voit des flammes derrière le [collège]
[23 rue bellevue] au secours
les flics sont [rue Nationale]
prenez place, le spectacle commence
la ruelle sent mauvais
le marché a changé de place
quelle voie choisir après le bac
le cours de natation est complet
il a son école de pensée
mon fils va à l'école avec ses copains
plein de nids-de-poule sur la route
on a 3 places pour le concert
le port du masque est obligatoire
la cité a ses codes
les agents ont fait le pont, 0 accueil
une chambre avec salle de jeux
Paris 2 - Lens 1, quel match
la gare de triage des idées
j'ai mis 20 minutes pour faire 3 km
"""

_BRACKETS = re.compile(r"\[([^\]]*)\]")


def marked(line: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the sentence without its brackets, and the spans they marked."""
    spans, shift = [], 0
    for match in _BRACKETS.finditer(line):
        start = match.start() - shift
        spans.append((start, start + len(match[1])))
        shift += 2
    return _BRACKETS.sub(r"\1", line), spans


def lines(block: str) -> list[str]:
    return [line for line in block.splitlines() if line.strip()]


def found(text: str) -> list[tuple[int, int]]:
    return [(address.start, address.end) for address in addresses(text)]


@pytest.mark.parametrize("line", lines(KNOWN))
def test_exactly_the_marked_spans_are_found(line: str) -> None:
    text, spans = marked(line)
    assert [text[a:b] for a, b in found(text)] == [text[a:b] for a, b in spans]


def test_held_out_sentences_stay_where_they_were_first_seen() -> None:
    right = given_count = wanted = 0
    for line in lines(HELD_OUT):
        text, spans = marked(line)
        seen = found(text)
        right += len({*seen} & {*spans})
        given_count, wanted = given_count + len(seen), wanted + len(spans)
    assert right / given_count >= 34 / 36  # the first look
    assert right / wanted >= 34 / 37


@pytest.mark.parametrize(
    ("text", "number", "kind"),
    [
        ("12 bis rue du Lavoir", "12 bis", AddressKind.STREET),
        ("7/9 rue Diderot", "7/9", AddressKind.STREET),
        ("27ter, rue Zola", "27ter", AddressKind.STREET),
        ("3 hameau des Pins", "3", AddressKind.LOCALITY),
        ("école Jean-Zay", None, AddressKind.SPOT),
        ("3 écoles. école Jean-Zay", None, AddressKind.SPOT),
        ("RD 938", None, AddressKind.ROAD),
    ],
)
def test_the_house_number_and_the_kind_are_told(
    text: str, number: str | None, kind: AddressKind
) -> None:
    (address,) = addresses(text)
    assert (address.number, address.kind) == (number, kind)


def test_decomposed_accents_and_curly_apostrophes_are_read() -> None:
    text = "feu rue de l’E\u0301glise-Neuve, 😡 vite"
    assert [address.text for address in addresses(text)] == ["rue de l’E\u0301glise-Neuve"]


def test_a_name_does_not_cross_a_sentence_or_a_line() -> None:
    assert [a.text for a in addresses("rue Pasteur. Jean est blessé")] == ["rue Pasteur"]
    assert [a.text for a in addresses("rue Pasteur\nJean est blessé")] == ["rue Pasteur"]


FRAGMENTS = ["rue ", "12 ", "bis ", "du ", "Lavoir", "l'", "école ", "-", ", ", "44000 ", "œ", "İ",
             "place ", "8 mai ", "D12", "la ", "et ",
             "e\u0301", "près de ", ". ", "r", "av"]  # fmt: skip


@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(FRAGMENTS)).map("".join)))
def test_whatever_the_text_spans_are_its_own_words_in_order_and_apart(text: str) -> None:
    last = 0
    for address in addresses(text):
        assert last <= address.start < address.end <= len(text)
        assert address.text == text[address.start : address.end]
        last = address.end


def test_what_lies_beyond_the_limit_is_not_read() -> None:
    assert addresses("x " * 1_000 + "rue du Lavoir") == ()
