"""Calm weeks of a small town: what people write when nothing is wrong, by a seeded generator."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

PLACES = ("rue des Carmes", "place de la Halle", "quai des Tanneurs", "avenue Foch", "aux Prés-Bas")

SENTENCES = (
    # thanks and pleasure
    "Merci à l'équipe du service propreté, {place} est nickel ce matin",
    "Bravo pour les illuminations, les enfants étaient ravis",
    "Très beau marché ce matin, on a trouvé des fraises à tomber",
    "Le concert d'hier soir était une réussite, merci à l'harmonie",
    "Belle balade au bord de la rivière, les hérons sont revenus",
    "Accueil très agréable à l'état civil, dossier bouclé en dix minutes",
    "Les nouveaux bancs {place} sont super confortables",
    "Merci aux agents des espaces verts pour les massifs",
    "La médiathèque a reçu le dernier polar que j'attendais, quelle joie",
    "Magnifique feu d'artifice du 14 juillet, on en a pris plein les yeux",
    "On était morts de rire au spectacle des maternelles",
    "Le nouveau city stade, les ados l'ont pris d'assaut, ça fait plaisir",
    "Félicitations à nos footballeuses pour la victoire 3 à 0",
    "Cette expo sur la crue de 1910, une merveille, allez-y",
    # questions
    "Bonjour, à quelle heure ouvre la déchetterie le samedi ?",
    "Quelqu'un sait si la piscine est ouverte pendant les vacances ?",
    "Où peut-on retirer les sacs jaunes svp ?",
    "Comment inscrire ma fille à la cantine pour la rentrée ?",
    "Est-ce que le marché est maintenu jeudi qui est férié ?",
    "Faut-il un rendez-vous pour refaire une carte d'identité ?",
    "Qui contacter pour un encombrant {place} ?",
    "La mairie est ouverte le 11 novembre ?",
    "Quels sont les horaires de la navette le dimanche ?",
    "C'est quoi les travaux {place}, ça dure jusqu'à quand ?",
    "Le parking {place} est-il gratuit le midi ?",
    "Avez-vous les dates du prochain conseil municipal ?",
    "Peut-on réserver la salle des fêtes pour un anniversaire ?",
    "Il y a une permanence du conciliateur ce mois-ci ?",
    # requests
    "Pourriez-vous tailler la haie {place}, on ne passe plus avec la poussette",
    "Un lampadaire est éteint {place} depuis lundi, merci de passer",
    "Il faudrait repeindre le passage piéton devant l'école",
    "Merci de vider la poubelle du parc, elle déborde",
    "Pouvez-vous ajouter un panier de basket au stade ?",
    "Serait-il possible d'avoir les comptes rendus en ligne ?",
    "Il manque un arceau à vélo {place}",
    "Pensez à saler la côte cet hiver s'il vous plaît",
    # complaints
    "Poubelles jaunes toujours pas ramassées {place}, ça fait une semaine",
    "Encore des crottes de chien {place}, c'est pénible",
    "Une heure d'attente à l'accueil pour un simple papier",
    "Le bus 3 est encore passé en avance, merci le froid",
    "Nid-de-poule énorme {place}, j'ai failli y laisser une roue",
    "Les trottinettes garées n'importe comment {place}",
    "Le site pour payer la cantine rame, j'ai recommencé trois fois",
    "Personne ne décroche au standard ce matin",
    "Cantine : encore des pâtes, les enfants râlent",
    "La soufflante à feuilles à 7 h {place}, sérieusement ?",
    "Stationnement impossible le jour du marché",
    "On nous avait promis une piste cyclable, on attend toujours",
    "Mon courrier est resté sans réponse depuis deux mois",
    "Les WC publics {place} sont dans un état lamentable",
    "Bruit jusqu'à deux heures du matin au bar {place}",
    "Les travaux {place} n'avancent pas, ras le bol de la déviation",
    "Fuite sous mon évier, et pas un plombier avant jeudi",
    "Coincé derrière le camion poubelle {place} pendant dix minutes",
    "Ma voiture a pris un coup sur le parking, personne n'a laissé de mot",
    "Le chauffage de la salle de danse est encore en panne",
    "La taxe foncière explose encore cette année, merci qui",
    # criticism
    "Les horaires de la médiathèque excluent ceux qui travaillent",
    "À mon avis il aurait mieux valu rénover l'école que refaire la place",
    "Je trouve dommage de couper les platanes, un élagage suffisait",
    "Le budget participatif, bonne idée mais trop peu de communication",
    "Ce rond-point ne règle rien, il fallait un feu",
    "Le maire devrait venir aux réunions de quartier au lieu d'envoyer l'adjoint",
    "Une ville de cette taille mérite un vrai cinéma",
    "Fermer la rue aux voitures le dimanche, il fallait oser, on verra",
    "L'opposition parle, parle, mais ne propose rien",
    "Moins de caméras, plus d'éducateurs, voilà ce qu'il faudrait",
    # irony and grumbling
    "Bravo pour le bouchon {place}, du grand art",
    "Super, encore une réunion publique un mardi à 15 h, tout le monde y sera",
    "Nos élus ont inventé le trottoir à obstacles, chapeau",
    "Génial, le wifi de la gare marche une fois sur dix",
    "Bande de rigolos à l'agglo",
    # information and chatter
    "Marché de Noël samedi et dimanche place de la Halle",
    "Le loto du club de foot commence à 20 h à la salle des fêtes",
    "Exercice d'évacuation à l'école mardi, ne vous inquiétez pas de la sirène",
    "Chat tigré trouvé {place}, très câlin, sans collier",
    "Perdu trousseau de clés {place}, récompense",
    "Il pleut encore, vivement le printemps",
    "Brouillard à couper au couteau ce matin",
    "Gelée blanche sur les jardins, joli mais frisquet",
    "Quel vent cette nuit, ma poubelle est chez le voisin",
    "Vide-grenier dimanche {place}, il reste des places",
    "La boulangerie {place} ferme deux semaines",
    "Don du sang vendredi à la salle polyvalente, venez nombreux",
    "Je vends deux vélos enfant, bon état",
    "Covoiturage vers la gare demain 7 h, il me reste une place",
    "Cours de yoga gratuit dimanche au parc",
    "Le club de lecture se réunit jeudi à 18 h",
    "Coupure d'eau programmée mardi de 9 h à 11 h {place}",
    "Travaux sur le réseau de gaz {place} la semaine prochaine, circulation alternée",
    "Le pont sera fermé lundi pour inspection",
    "Petit accrochage {place}, rien de grave, ça repart",
    "Les pompiers ont fait une démonstration au forum, les petits adorent",
    "Film catastrophe hier à la télé, n'importe quoi ces inondations",
    "Il y a le feu au lac, comme dit ma grand-mère",
    "Je suis noyée sous les formulaires, au secours lol",
    "Ce nouveau jeu est une tuerie",
    "Les prix de l'essence explosent",
    "Je vais tuer mon réveil un de ces jours",
    "Mon fils s'est ouvert le genou au skatepark, trois points, il en est fier",
    "Rentrée des classes lundi, les cartables sont prêts",
    "Le collège organise sa journée portes ouvertes",
    "Menu de la cantine affiché pour novembre",
    "La fibre arrive {place} au printemps",
    "Collecte de jouets à la mairie jusqu'au 15 décembre",
    "Conseil municipal ce soir à 19 h, retransmis en ligne",
    "Enquête publique sur le plan local d'urbanisme jusqu'à fin mars",
    "Nouveaux horaires à la poste {place}",
    "Permanence de l'adjointe au logement mercredi matin",
    "Le recensement commence jeudi, répondez en ligne",
    "Photo de la semaine : le lavoir sous la lumière du soir",
    "Les hirondelles nichent sous le toit de la mairie",
    "Qui a gagné le concours de citrouilles finalement ?",
    "Sondage : piscine découverte ou patinoire ?",
    "Un grand merci au monsieur qui a rapporté mon portefeuille",
    "Belle affluence au repas des aînés",
    "Le tri, c'est simple : papier dans le bleu, verre dans le vert",
)
"""Ordinary talk, with the false friends of a crisis among it; `{place}` is filled in."""

HOURS = (1, 1, 1, 1, 1, 2, 5, 10, 11, 10, 9, 10, 13, 10, 8, 8, 10, 13, 16, 16, 15, 12, 7, 3)
"""How much is said at each hour of the day; judgement: a small town's page, awake until eleven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One ordinary remark: when, by whom, and which of the sentences."""

    at: datetime
    author: str
    text: str
    sentence: int


def calm(
    start: datetime, *, days: int, per_day: int, seed: int, sentences: Sequence[str] = SENTENCES
) -> Iterator[Said]:
    """Yield `days` of talk in order, `per_day` of it on average, each day unlike the last.

    A day's number is Poisson around `per_day` times a factor of its own (0.6 to 1.5), so that days
    are clumped; a tenth of the people write half of it.
    """
    chance = random.Random(seed)
    people = max(20, per_day * 3)
    for day in range(days):
        level = per_day * chance.uniform(0.6, 1.4)
        count = sum(chance.random() < level / (level * 4) for _ in range(round(level * 4)))
        times = sorted(_time(chance) for _ in range(count))
        for second in times:
            regular = chance.random() < 0.5
            who = chance.randrange(people // 10 if regular else people)
            number = chance.randrange(len(sentences))
            text = sentences[number].format(place=chance.choice(PLACES))
            at = start + timedelta(days=day, seconds=second)
            yield Said(at=at, author=f"p{who}", text=text, sentence=number)


def _time(chance: random.Random) -> int:
    (hour,) = chance.choices(range(24), weights=HOURS)
    return hour * 3600 + chance.randrange(3600)
