"""The French words an emergency card is read from, folded; data alone.

One phrase a `|`. `word*` opens a word, `~` stands for up to three words of the same clause.
"""

from __future__ import annotations

HAZARDS = {
    "self_harm": """suicid* | me tuer | me foutre en l air | en finir | mettre fin a mes jours |
        mettre fin a ses jours | veut se tuer | plus envie de vivre | me pendre | veut sauter |
        va sauter | vais sauter | m ouvrir les veines | scarifi* | avale ~ cachets |
        adieu a tous""",
    "gas": """odeur de gaz | fuite de gaz | fuite gaz | sent le gaz | sens le gaz | sentir le gaz |
        sa sent le gaz | monoxyde | intoxi* au co | odeur gaz | conduite de gaz | sentons le gaz |
        bonbonne de gaz | bouteille de gaz | gaz ~ fuit |
        sent ~ gaz | sentons ~ gaz | pue ~ gaz""",
    "missing_person": """disparu* depuis | a disparu | ont disparu | porte* disparu* |
        introuvable* |
        ne retrouve* plus ~ fil* | ne retrouve* pas ~ fil* | retrouve* plus ~ enfant* |
        retrouve* pas ~ enfant* | retrouve plus ma mere | retrouve pas ma mere | alerte enlevement |
        enleve* par | pas rentre* ~ ecole | n est pas rentre* | est pas rentre* | fugue* |
        retrouve plus mon pere | retrouve pas mon pere | retrouve plus mon mari | perdu de vue""",
    "collapse": """effondr* | ecroul* | eboul* | glissement de terrain | coulee de boue |
        coulees de boue | s est affaiss* | plafond ~ tombe | menace* de tomber | fissur*""",
    "fire": """incendi* | feu | flamme* | brul* | fume* ~ partout | fumee* | crame* |
        pris* feu | embras*""",
    "flood": """inond* | crue | crues | eau mont* | eau ~ monte* | eau rentre* | eau entre |
        eau jusqu* | eau aux genoux | eau dans l escalier | eau dans les escaliers |
        eau dans la cuisine | eau dans la chambre | eau dans le couloir | eau dans la voiture |
        eau a envahi | eau a tout envahi | riviere ~ envahi* | eau dans la maison |
        eau dans le salon | eau dans la cave |
        eau arrive | submerg* | noie | noye* | noyer | noyade | deborde* | sort de son lit |
        sortie de son lit | sorti de son lit | sous l eau |
        sous les eaux | emport* par l eau | emport* par le courant | montee des eaux |
        rupture du barrage | barrage ~ cede* | barrage ~ lache* | barrage ~ romp* |
        digue ~ cede* | sur le toit ~ eau | torrent""",
    "violence": """agress* | frapp* | coup de feu | coups de feu | coup de couteau |
        coups de couteau | poignard* | couteau | arme* | fusil | fusillade | tire* dessus |
        ca tire | tirs | bagarre* | se battent | se bat avec | tabass* | viol | violee* |
        viole* | attaqu* | menac* de mort |
        me tape | la tape | tape sa femme | tape sa copine | tape ses enfants | tape ~ gosse* |
        me bat | la bat | etrangl* | braqu* | cambriol* | emeute* | machette |
        harcel* | sequestr* | egorg* | mari ~ battre | rixe""",
    "accident": """accident* | collision | carambolage | percut* | renvers* par | bus renverse* |
        car renverse* | voiture renverse* |
        camion renverse* | camion couche* | s est renverse* |
        fauch* | explos* | deraill* | electrocut* | crash* | tombe* du balcon |
        tombe* de l echelle |
        arbre* ~ tombe* sur ~ voiture* | coince* ~ ascenseur* | coince* ~ lascenseur* |
        coince* ~ ascenceur* | coince* ~ lascenceur* | bloque* ~ ascenseur* |
        bloque* ~ lascenseur* | bloque* ~ ascenceur* | bloque* ~ lascenceur* |
        tombe* dans | chute* de | dans le fosse | sortie de route | voiture ~ retourne*""",
    "health": """malaise* | inconscient* | ne respire plus | respire plus | respire pas |
        respire mal | crise cardiaque | infarctus | avc | arret cardiaque | saign* | intoxi* |
        empoisonn* | vomi* | convuls* | crise d epilepsie | overdose | evanoui* | allergi* |
        fait un arret | perdu connaissance | mal au coeur | douleur* a la poitrine | accouche* |
        perd les eaux | perdu les eaux | malades apres | hypothermie | etouff* |
        plus d insuline | avale ~ medicament* | avale ~ javel | avale ~ produit |
        ne reagit plus | reagit plus | mere ~ repond plus | pere ~ repond plus |
        mamie ~ repond plus | papi ~ repond plus | papy ~ repond plus | maman ~ repond plus |
        papa ~ repond plus | mari ~ repond plus | femme ~ repond plus | fils ~ repond plus |
        fille ~ repond plus | frere ~ repond plus | soeur ~ repond plus | enfant ~ repond plus |
        bebe ~ repond plus | voisin* ~ repond plus | dame ~ repond plus | homme ~ repond plus |
        elle ne repond plus | elle repond plus | il ne repond plus""",
    "water_power": """coupure d eau | coupure d electricite | coupure de courant |
        coupure electri* |
        plus d eau | plus de courant | plus d electricite | plus d elec | plus de jus |
        sans eau | sans electricite | sans courant | panne de courant | panne d electricite |
        eau ~ non potable | eau ~ marron | eau ~ pas potable | plus de chauffage | sans chauffage |
        pas d electricite | pas d eau | pas de courant | black out | blackout | pas d elec |
        manque* d eau | coupe* l eau | eau contamin* | eau pollu*""",
    "other": """tornade | tempete | avalanche | seisme | tremblement de terre | colis suspect |
        produit chimique | nuage toxique | chien* ~ attaqu* | essaim | foudre | arbre* ~ tombe* |
        alerte a la bombe | pollution aux hydrocarbures | cable* ~ au sol | mouvement de foule""",
}  # in the order in which one is chosen when a text names several
NEEDS = {
    "rescue": """18 ne repond* | 18 repond pas | 18 ne decroche* | decroche* au 18 |
        112 ne repond* | 112 repond pas | montes sur la table | au secours | a l aide | help |
        sos | venez vite | venez nous |
        venez nous chercher |
        venez m aider | aidez nous | aidez moi | aidez la | aidez le | coince* | pieg* |
        prisonnier* | on est bloque* | suis bloque* | sommes bloque* | est bloque* dans |
        bloque* au | bloque* sur le toit | bloque* dans | sur le toit | sur les toits |
        envoyez les pompiers | appelez les pompiers | envoyez des secours | envoyez les secours |
        besoin de secours | besoin d aide | peux plus sortir | peut plus sortir | peut pas sortir |
        peux pas sortir | pouvons plus sortir | pouvons pas sortir | venez me chercher |
        envoyez quelqu un | noie | se noie | arrive plus a sortir | arrive pas a sortir |
        besoin des pompiers | faut les pompiers | faut des secours | enferme* | sous les decombres |
        faites quelque chose | faites qqch | pompiers svp""",
    "medical": """samu | ambulance* | un medecin vite | vite un medecin | besoin d un medecin |
        appelez un medecin | envoyez un medecin | medecin svp | besoin d un docteur |
        plus d insuline | plus d oxygene | intoxique* | blesse* | inconscient* | respire plus |
        respire pas | respire mal | saign* | malaise* | insuline | oxygene | dialyse |
        defibrillateur |
        infirmier* | arret cardiaque | infarctus | avc | reagit plus | perdu connaissance |
        evanoui* | convuls* | accouche* | perdu les eaux | perd les eaux""",
    "police": """appelez la police | appelez les flics | appelez les gendarmes | envoyez la police |
        envoyez les gendarmes | envoyez les flics | besoin de la police | que fait la police |
        faut la police | faut les flics | police vite | police svp | police municipale vite |
        appeler la police | gendarmes vite | une patrouille""",
    "evacuation": """evacuer | evacuez nous | faut evacuer | etre evacue* | attend* l evacuation |
        ou se refugier | ou aller dormir | ou dormir | etre relog* | un abri |
        hebergement d urgence |
        partir d ici | quitter la maison | nous evacuer | les evacuer | besoin d etre evacu*""",
    "supplies": """besoin d eau | besoin de couverture* | besoin de nourriture | besoin de vivres |
        besoin de medicament* | besoin de lait | besoin de bougies | besoin de couches |
        plus rien a manger | rien a manger | rien a boire | plus d eau potable |
        groupe electrogene |
        bouteilles d eau | plus de medicament* | plus de lait | besoin de bouteilles |
        besoin de vetements | manque* de couverture* | packs d eau | besoin d un groupe | vivres""",
    "information": """savez vous | sait on | qqn sait | quelqu un sait | qq un sait |
        vous savez si | est ce que | faut il | doit on | peut on | que faire | quoi faire |
        des nouvelles | avez vous des infos | on n a aucune info | aucune info* | pas d info* |
        quelles consignes | c est quoi | tenez nous | vous avez des infos | que se passe""",
}  # the same
VULNERABLE = {
    "children": """enfant* | bebe* | gamin* | gosse* | nourrisson* | petit fils | petite fille |
        mes petits | mon petit | ma petite | eleve* | collegien* | creche | fillette* | garconnet |
        petit garcon | jumeaux | mome* | nouveau ne""",
    "elderly": """mamie* | mami | papi | papis | papy* | grand mere | grand pere |
        grands parents | mamy |
        personne* agee* | persone* agee* | vieille dame | vieil homme | vieux monsieur | ehpad |
        octogenaire* | nonagenaire* |
        arriere grand* | maison de retraite | dame agee | monsieur age | retraitee* seul* |
        centenaire""",
    "disabled": """handicap* | fauteuil roulant | pmr | aveugle* | sourd | sourde | sourds |
        malentendant* | malvoyant* | autiste* | tetrapleg* | parapleg* | paralys* | trisomique* |
        mobilite reduite | deambulateur | non voyant* | marche plus | grabataire* | alite*""",
    "pregnant": """enceinte de * mois | est enceinte | suis enceinte | femme enceinte |
        enceinte et |
        femmes enceintes | copine enceinte | fille enceinte | soeur enceinte | epouse enceinte |
        enceinte jusqu | compagne enceinte | voisine enceinte | dame enceinte""",
}
FIGURES = """feu vert | feu rouge | feux rouges | feu tricolore | feux tricolores |
        feu* d artifice |
    feu orange | cessez le feu | feu de camp | feu de joie | feu de la saint jean | tout feu |
    feu ~ projet | y a pas le feu | pot au feu | mort de rire | morte de rire | mdr | ptdr |
    inonde* de mails | inonde* de mail | inonde* d appels | inonde* de pub* | inonde* de messages |
    noye* sous les | noye* dans la paperasse | noyer le poisson | noye* dans le travail |
    prix ~ explos* | tarifs ~ explos* | factures ~ explos* | impots ~ explos* | explos* des prix |
    explos* des tarifs | explos* de rire | explos* de joie | explos* des couts | usine a gaz |
    eau dans le gaz | brul* les etapes | brul* la priorite | brul* d envie | calories brul* |
    brul* un feu | submerg* par les | submerg* de mails | submerg* de | debord* de | debord* d |
    armee | arme* de patience | attaqu* en justice | attaqu* le permis | attaque du club |
    effondr* dans les sondages | ventes ~ effondr* | moral ~ effondr* | fatigue ~ effondr* |
    renverse* la tendance | accident de parcours | malaise social | malaise chez les |
        flamme olympique |
    plein la vue | declare* sa flamme | frapp* a la porte | frapp* par la beaute |
    ambiance de feu | public en feu | stade en feu | en feu ce soir | dans l enceinte |
    au secours les prix | au secours la facture | menac* de greve | torrent d insultes |
    dossier ~ bloque* | compte ~ bloque* | site ~ bloque* | prix bloque* |
        coince* dans les bouchons |
    dossier ~ coince* | enfant* de la republique | tirs au but | tirs cadres | viole* la loi |
    viole* le code | alarme* | coup de feu en cuisine | noyau | consomm* | fissure politique |
    disparu* des ecrans | tempete dans un verre | tempete mediatique | tempete de cerveaux |
    medecin traitant | desert medical | manque de medecin* | plus de medecin | pas de medecin"""
UNREAL = """exercice | simulation | un film | le film | la serie | roman | jeu video |
        anniversaire |
    commemor* | hommage aux | documentaire | repetition generale | poisson d avril | formation aux |
    plan de prevention"""
PAST = """l an dernier | l annee derniere | l an passe | a l epoque | autrefois | jadis |
        en cas de |
    en cas d | le mois dernier | la semaine derniere | s il y a | risque de | risque d |
    prevention des | au siecle dernier | quand j etais | zone inondable | l ete dernier |
    l hiver dernier | prevention du"""
OVER = """feu ~ eteint* | incendie ~ eteint* | flammes ~ eteint* | c est eteint |
    feu ~ maitrise* | incendie ~ maitrise* | est maitrise* | sous controle | circonscrit* |
    incendie est termine | alerte est levee | plus de danger | fausse alerte | tout va bien |
    plus de peur que de mal | retabli* | decrue | est retrouve* | a ete retrouve* |
    deja enleve* | deja degage* | deja deblaye* | courant est revenu |
    electricite est revenue | sain* et sauf* | retrouve* vivant*"""
DENIALS = frozenset("aucun aucune sans ni jamais pas personne rien plus non zero nul".split())
BRIDGES = frozenset(  # between a denial and what it denies
    """de d un une le la l les des du en encore vraiment ete etre est a n ne y soit sont faire fait
    personne par aucun aucune trop ai""".split()
)
NUMBERS = {
    name: value
    for value, name in enumerate(
        """deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze
        seize""".split(),
        start=2,
    )
} | {"vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50, "cent": 100}
ROUGH = {
    "dizaine": 10, "douzaine": 12, "quinzaine": 15, "vingtaine": 20, "trentaine": 30,
    "quarantaine": 40, "cinquantaine": 50, "soixantaine": 60, "centaine": 100,
}  # fmt: skip
ABOUT = frozenset("environ presque pres vers quasi moins plus minimum approximativement".split())
KIN = frozenset(
    """mere pere maman papa mamie papi papy mamy grand-mere grand-pere mari femme epouse conjoint
    compagne compagnon copine copain fille fils frere soeur bebe voisin voisine tante oncle
    cousin cousine niece neveu belle-mere beau-pere nounou amie ami petit petite collegue
    """.split()
)
GROUP = """enfants enfant personnes personne gens adultes adulte blesses blesse victimes morts
    gamins gosses eleves residents resident habitants passagers bebes ados vieux familles jeunes
    filles fils hommes femmes mecs occupants campeurs randonneurs malades voisins petits locataires
    ouvriers voyageurs spectateurs clients touristes automobilistes salaries employes patients
    etudiants manifestants collegues agents policiers pompiers gars bebe occupant petites""".split()
COUNTED = frozenset(GROUP)
UNCOUNTED = frozenset("enfants parents petits voisins filles grands-parents gamins gosses".split())
NOT_PEOPLE = frozenset(  # after « on est 3 »: what is counted is no person
    """euros euro e h heures heure min minutes mn secondes jours jour mois ans an annees semaines
    km kms metres m pour contre a fois points e er eme degres pourcent kilometres
    cents mille""".split()
)
